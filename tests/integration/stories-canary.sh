#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How other tools' canaries and rollbacks failed (docs/stories.md), on the fake runtime.
#
#   stories-canary.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

command -v python3 >/dev/null || { echo 'missing: python3'; exit 77; }
fake_rig
# metrics "NAME VALUE"…: what the queries of these names are answered
metrics() {
        printf '%s\n' "$@" | jq -Rn '[inputs | split(" ") | {key: .[0], value: {body: {status: "success", data: {resultType: "scalar",
                result: [1700000000, .[1]]}} | tojson}}] | {metrics: "", answers: from_entries}' >"$RIG/metrics.json"
}
metrics 'requests 0' 'errors 0'
python3 "$here/lib/prometheus_stub.py" "$RIG/metrics.json" >"$RIG/port" 2>/dev/null &
RIG_PID=$!
disown "$RIG_PID"
for ((i = 0; i < 200; i++)); do
        [ ! -s "$RIG/port" ] || break
        sleep 0.05
done
prometheus=http://127.0.0.1:$(cat "$RIG/port")

# shop REPLICAS ROLLOUT [LINE…]: apps/shop with one service web that has a health check
shop() {
        local replicas=$1 rollout=$2
        shift 2
        {
                printf 'apiVersion: tallyman/v1\nkind: App\napp: shop\nruntime: fake\nrollout: {%s}\n' "$rollout"
                [ $# -eq 0 ] || printf '%s\n' "$@"
        } >"$FLEET/checkout/apps/shop/app.yaml"
        printf 'services:\n  web:\n    image: "registry.example/shop/web"\n    deploy: {replicas: %d}\n    ports: ["80"]\n    healthcheck: {test: ["CMD", "true"]}\n' \
                "$replicas" >"$FLEET/checkout/apps/shop/compose.yaml"
}

# settles CODE
settles() {
        expect "$1" tally sync --timeout 60s
}

# who: versions and states of the instances, sorted; what was stopped and is kept is left out while a rollout is under way
who() {
        fake '[.instances[] | "\(.version) \(.state)"] | sort | join(", ")'
}
serving() {
        fake '[.instances[] | select(.state == "running") | .version] | sort | join(" ")'
}

quick='min_healthy_time: 0s, healthy_deadline: 60s, progress_deadline: 60s'
held="strategy: canary, steps: [{weight: 50, hold: 1h}], $quick"
fake_set ".now = $(date +%s)000 | .start = {}"

#
# Up to date is said when it is proven
#

shop 2 "$held"
release 1
settles 0
same '1 running, 1 running' "$(who)" 'the first release'
release 2
expect 3 tally pass
same '1 2' "$(serving)" 'one of each'
status_is '.apps[0] | "\(.phase) \(.running.version) \(.desired.version)"' 'evaluating 1 2'
status_is '"\(.state) \(.apps[0].health)"' 'progressing healthy'
same 1 "$(jq -r '.apps[0].version' "$FLEET/state/sticker.json")" 'the sticker of the host'
same 1 "$(ledger_git show tally/web1:sticker.json | jq -r '.apps[0].version')" 'the sticker in the ledger'
for i in 1 2 3; do
        rm -f "$FLEET/state/quiet.json"
        expect 3 tally pass
done
status_is '.apps[0].running.version' 1
same 1 "$(jq -r '.apps[0].version' "$FLEET/state/sticker.json")" 'the sticker of the host'
proved 'what is under way is never said to run: status and sticker name the release before until the new one is proven'

#
# Aborted, overtaken, withdrawn
#

release 3
expect 3 tally pass
same '1 3' "$(serving)" 'the newer release took over from the one under way'
status_is '.apps[0].poisoned | length' 0
proved 'an aborted rollout does not stick: a newer release begins at once, and the one before is not poisoned'

release 1
expect 0 tally pass
same '1 running, 1 running' "$(who)" 'what serves again'
status_is '.apps[0] | "\(.phase) \(.running.version) \(.failure) \(.poisoned | length)"' 'settled 1 null 0'
status_is .state converged
proved 'a merge that takes a canary back is done in one pass: no hold, no share, no poison'

shop 2 "$held, on_failure: pause"
release 4
fake_set '.start["shop/web@4"] = {"health": "unhealthy"}'
expect 5 tally pass
status_is '.apps[0].phase' paused
shop 2 "$held"
release 1
expect 0 tally pass
same '1 running, 1 running' "$(who)" 'what serves again'
proved 'a merge that takes a paused canary back is done in one pass, too'

release 5
expect 3 tally pass
fake_set '(.instances[] | select(.version == "5") | .health) = "unhealthy"'
rm -f "$FLEET/state/quiet.json"
expect 5 tally pass
same '1 running, 1 running' "$(who)" 'what serves again'
release 6
expect 3 tally pass
same '1 6' "$(serving)" 'the next release'
status_is '.apps[0] | "\(.phase) \(.failure)"' 'evaluating null'
proved 'a canary that failed does not stand in the way of the next release'

#
# A rollback that is what it says
#

# Somebody removes the old one while the canary runs, then the canary falls ill.
old=$(fake '.instances[] | select(.version == "1") | .id')
fake_set "(.instances |= map(select(.version != \"1\"))) | (.instances[] | select(.version == \"6\") | .health) = \"unhealthy\""
rm -f "$FLEET/state/quiet.json"
code=0
OUT=$(tally pass 2>&1) || code=$?
[ "$code" = 5 ] || [ "$code" = 3 ] || fail "it ended with $code"
settles 5
same '1 running, 1 running' "$(who)" 'what serves again'
[ "$old" != "$(fake '.instances[0].id')" ] || fail 'the instance that was removed is back'
status_is '.apps[0].running.version' 1
same "$(fake_image 1)" "$(fake '[.instances[].image] | unique | join(" ")')" 'the image that serves'
proved 'a rollback whose old instances were removed meanwhile makes them anew from the old release, never from the candidate'

# The release before cannot be started again.
release 7
expect 3 tally pass
had=$(count_records rollback)
fake_set '(.instances[] | select(.version == "7") | .health) = "unhealthy" | (.instances[] | select(.version == "1")).state = "exited"
        | .fail = [{"call": "start", "nth": 1, "last": 0, "kind": "transient", "code": "ROLLOUT_START_FAILED", "message": "no"}]'
rm -f "$FLEET/state/quiet.json"
expect 5 tally sync --timeout 25s
status_is '.apps[0] | "\(.phase) \(.state)"' 'stuck failed'
same "$had" "$(count_records rollback)" 'records of a rollback'
fake_set 'del(.fail)'
settles 5
same '1 running, 1 running' "$(who)" 'what serves again'
same $((had + 1)) "$(count_records rollback)" 'records of a rollback'
proved 'a rollback that does not succeed is never said to have: stuck, exit code 5, no rollback record until the old release runs'

# next_pass: when a pass, which ends with 5, wants the next one (ms)
next_pass() {
        rm -f "$FLEET/state/quiet.json"
        expect 5 tally pass --next-fd 3 3>"$RIG/next"
        sed -n 's/^next_ms=//p' "$RIG/next"
}
# The fake's own clock stands still.
fake_set ".instances[] += {health: \"starting\", started_at: $(date +%s%3N)}"
next_pass >"$RIG/soon"
status_is '.apps[0] | "\(.phase) \(.state) \(.health)"' 'settled failed starting'
fake_set '.instances[].health = "healthy"'
next_pass >"$RIG/later"
status_is '.apps[0] | "\(.phase) \(.state) \(.health)"' 'settled failed healthy'
[ "$(cat "$RIG/soon")" -lt 10000 ] && [ "$(cat "$RIG/later")" -gt 10000 ] ||
        fail "the next pass is $(cat "$RIG/soon") ms away while the old release starts, then $(cat "$RIG/later") ms"
proved 'while what a rollback brought back only starts, the next pass is soon, so that status does not say "starting" until the next poll'

#
# One replica, behind a router
#

routed='traffic: {router: memory, service: web, port: 80, listen: "127.0.0.1:8000"}'
router() {
        jq "$1" "$FLEET/state/routes/memory.json" >"$RIG/router.new"
        mv "$RIG/router.new" "$FLEET/state/routes/memory.json"
}
split() {
        jq -r '.routes.shop.route | "\([.targets[] | "\(.address) \(.variation)"] | join(", ")) \(.candidate)"' "$FLEET/state/routes/memory.json"
}
for n in 10 11 12; do
        fake_set ".start[\"shop/web@$n\"] = {\"endpoints\": [{\"port\": 80, \"address\": \"127.0.0.1:80$n\"}]}"
done
shop 1 "$quick" "$routed"
release 10
settles 0
same '127.0.0.1:8010 current 0' "$(split)" 'the route'
shop 1 "strategy: canary, steps: [{weight: 10, hold: 1h}], $quick" "$routed"
release 11
expect 3 tally pass
same '10 11' "$(serving)" 'who serves'
same '127.0.0.1:8010 current, 127.0.0.1:8011 candidate 10' "$(split)" 'the route'
proved 'one replica can canary: one of each, and a tenth of the requests to the new one'

router '.available = false'
fake_set '(.instances[] | select(.version == "11") | .health) = "unhealthy"'
rm -f "$FLEET/state/quiet.json"
had=$(count_records rollback)
expect 3 tally sync --timeout 3s
status_is '.apps[0] | "\(.phase) \(.state) \(.route.available)"' 'reverting progressing false'
[[ $(status_get '.apps[0].waits_for') == *router* ]] || fail "it waits for $(status_get '.apps[0].waits_for')"
same '10 11' "$(serving)" 'who runs while the router may lead there'
same "$had" "$(count_records rollback)" 'records of a rollback'
router '.available = true'
settles 5
same '10 running' "$(who)" 'what serves again'
same '127.0.0.1:8010 current 0' "$(split)" 'the route'
same $((had + 1)) "$(count_records rollback)" 'records of a rollback'
proved 'a rollback is not over while the router in front is dead: it waits and says so, and ends when requests reach the old release'

#
# No traffic
#

judged() {
        printf 'checks: [{name: errors, service: web, interval: 100ms, prometheus: {url: "%s", query: errors, traffic: requests, max: 5, samples: 2}}]' "$prometheus"
}
shop 1 "strategy: canary, steps: [{weight: 50, hold: 500ms}], min_healthy_time: 0s, healthy_deadline: 3s, progress_deadline: 3s" "$routed" "$(judged)"
release 12
expect 3 tally sync --timeout 2s
status_is '.apps[0] | "\(.running.version) \(.checks[0].verdict) \(.poisoned | length)"' "10 inconclusive $(status_get '.apps[0].poisoned | length')"
[[ $(status_get '.apps[0].checks[0].detail') == *'no traffic'* ]] || fail "the check says $(status_get '.apps[0].checks[0].detail')"
same '10 12' "$(serving)" 'who serves'
expect 5 tally sync --timeout 30s
status_is '.apps[0] | "\(.running.version) \(.failure.code)"' '10 ROLLOUT_INCONCLUSIVE'
same '10 running' "$(who)" 'who serves'
proved 'no traffic is neither pass nor fail: the canary holds, then is taken back as inconclusive, never promoted'
