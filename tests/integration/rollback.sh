#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Releases that fail: what served before serves again.
#
#   rollback.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

good=$(image_make shop/web good)
better=$(image_make shop/web better)
crashes=$(image_make shop/web crashes /bin/sh -c 'echo opening the data; echo "cannot open it: key s3cret-k3y" >&2; exit 3')
no_command=$(image_make shop/web no-command /bin/there-is-none)

ill=$(image_make shop/web ill)

shop_web "$good" "$ILL_IS_UNHEALTHY"
app_settings shop
shop_release 1 "$good"
expect 0 tally sync --timeout 120s
old=$(instance_of shop web)

#
# An unhealthy release
#

records_mark
shop_release 2 "$ill"
expect 5 tally sync --timeout 120s
same "$old" "$(instance_of shop web)" 'the container that serves'
same 1 "$(instances | wc -l)" 'containers left'
status_is .state failed
status_is '.apps[0].phase' settled
status_is '.apps[0].running.version' 1
status_is '.apps[0].failure.code' ROLLOUT_UNHEALTHY
bad=$(status_get '.apps[0].desired.release')
status_is '.apps[0].poisoned | join(" ")' "$bad"
same always "$(inspect "$old" .HostConfig.RestartPolicy.Name)" 'the restart policy of the old container'
proved 'an unhealthy release is taken back: the very container from before serves again, and exit code 5'

[[ " $(record_kinds) " == *' rollback '* ]] || fail "there is no rollback record but: $(record_kinds)"
same 'rolled_back ROLLOUT_UNHEALTHY 2 1' "$(records 'select(.record.recordType == "rollback") |
        [.record.outcome, .record.error.code, .record.change.from.version, .record.change.to.version] | join(" ")')" 'the rollback record'
expect 5 tally status
expect 0 tally explain shop
expect_text 'failed its health check'
proved 'the rollback is a record of its own, and explain says why'

# What was taken back has yet to become healthy again, which is news.
for ((i = 0; i < 100; i++)); do
        [ "$(inspect "$old" .State.Health.Status)" != healthy ] || break
        sleep 0.1
done
expect 5 tally pass
status_is '.apps[0].health' healthy
head=$(ledger_git rev-parse tally/web1)
for ((i = 0; i < 3; i++)); do
        expect 5 tally pass
done
same "$head" "$(ledger_git rev-parse tally/web1)" 'head of the ledger after passes over a poisoned release'
same "$old" "$(instance_of shop web)" 'the container that serves'
expect 5 tally diff
proved 'a poisoned release is not tried again, and says nothing new'

engine_restart "$RIG/engine"
expect 5 tally pass
expect 5 tally pass
same "$old" "$(instance_of shop web)" 'the container that serves after a restart of the engine'
status_is '.apps[0].poisoned | join(" ")' "$bad"
proved 'poison and the old release survive a restart of the engine'

shop_release 3 "$better"
expect 0 tally sync --timeout 120s
[ "$old" != "$(instance_of shop web)" ] || fail 'release 3 was not deployed'
status_is '.apps[0].running.version' 3
status_is '.apps[0].failure' null
proved 'a newer release deploys after one that failed'

#
# Releases that don't even run
#

# taken_back VERSION IMAGE CODE WHAT
taken_back() {
        local serving
        serving=$(instance_of shop web)
        shop_release "$1" "$2"
        expect 5 tally sync --timeout 120s
        same "$serving" "$(instance_of shop web)" "the container that serves after release $1"
        same 1 "$(instances | wc -l)" 'containers left'
        status_is '.apps[0].failure.code' "$3"
        proved "$4"
}

shop_web "$good"
# A busy machine takes its time from a container's start to its end.
app_settings shop 'rollout: {min_healthy_time: 3s, healthy_deadline: 60s, progress_deadline: 60s}'
taken_back 4 "$crashes" ROLLOUT_EXITED 'a release that is restarted by the engine for ever is seen as a crash loop and taken back'

expect 0 tally explain shop
expect_text 'opening the data'
expect_text 'cannot open it: key s3cret-k3y'
expect_text 'exit code 3, at 20'
tally --json explain shop | jq -e '.output[-1].text | contains("opening the data\n") and contains("cannot open it: key s3cret-k3y\n")' >/dev/null || fail 'the output in JSON'
same 600 "$(stat -c %a "$FLEET/state/failed-shop.json")" 'mode of what is kept of it'
proved 'what a release that was taken back printed can still be read, on the host'

same "$(jq -j '.outputs[-1].text' "$FLEET/state/failed-shop.json" | sha256sum | cut -d ' ' -f 1)" \
        "$(records 'select(.record.output) | .record.output[-1].sha256' | tail -n 1)" 'the digest of the output on record'
! ledger_git grep -q s3cret-k3y tally/web1 || fail 'the output is in the ledger'
! ledger_git log --format=%B tally/web1 | grep s3cret-k3y >/dev/null || fail 'the output is in a commit message'
proved 'the ledger has a digest of it and not a word'

taken_back 5 "$no_command" ROLLOUT_START_FAILED 'a release whose program does not exist is taken back'
shop_web "$good" 'healthcheck: {test: ["CMD", "false"], interval: 60s, start_period: 60s}'
app_settings shop 'rollout: {min_healthy_time: 300ms, healthy_deadline: 2s, progress_deadline: 60s}'
taken_back 6 "$good" ROLLOUT_UNHEALTHY 'a release that does not become healthy before healthy_deadline is taken back'
app_settings shop

#
# on_failure: pause
#

shop_web "$good" "$ILL_IS_UNHEALTHY"
app_settings shop 'rollout: {min_healthy_time: 300ms, healthy_deadline: 30s, progress_deadline: 30s, on_failure: pause}'
shop_release 7 "$ill"
expect 5 tally sync --timeout 120s
status_is '.apps[0].phase' paused
status_is .state failed
same 2 "$(instances | wc -l)" 'containers kept for a person to look at'
expect 5 tally pass
status_is '.apps[0].phase' paused
shop_release 8 "$good"
expect 0 tally sync --timeout 120s
status_is '.apps[0].running.version' 8
same 1 "$(instances | wc -l)" 'containers left'
proved 'on_failure: pause keeps everything as it is until another release is merged'

expect 0 tally doctor
OUT=$(records 'select(.record.recordType == "decision") | .record.seq')
for sequence in $OUT; do
        expect 0 tally replay "$sequence"
done
proved 'all that was decided can be replayed'
