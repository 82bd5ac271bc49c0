#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Registries and engines that are away, or lie: what serves goes on serving.
#
#   outage.sh TALLY

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
zeroes=$(printf '0%.0s' {1..64})

shop_web "$good"
app_settings shop
shop_release 6 "$better"
expect 0 tally sync --timeout 120s

#
# Registries
#

shop_web "$good"
serving=$(instance_of shop web)
shop_release 7 "$REGISTRY/shop/web@sha256:$zeroes"
expect 3 tally sync --timeout 3s
same "$serving" "$(instance_of shop web)" 'the container that serves'
status_is '.apps[0].failure.code' IMAGE_NOT_FOUND
status_is '.apps[0].phase' preparing
status_is '.apps[0].running.version' 6
status_is '.apps[0].poisoned | length' 0
proved 'a digest that the registry does not have touches nothing, and is asked for again after a while'

shop_release 8 "$good"
expect 0 tally sync --timeout 120s
status_is '.apps[0].running.version' 8
proved 'the release after it deploys at once'

liar=$(image_make shop/liar liar)
python3 "$here/lib/registry_liar.py" "$REGISTRY" >"$RIG/liar.port" 2>"$RIG/liar.log" &
RIG_PID=$!
disown "$RIG_PID"
for ((i = 0; i < 200; i++)); do
        [ -s "$RIG/liar.port" ] && break
        sleep 0.05
done
lied=127.0.0.1:$(cat "$RIG/liar.port")/${liar#*/}
serving=$(instance_of shop web)
shop_release 9 "$lied"
expect 5 tally sync --timeout 120s
same "$serving" "$(instance_of shop web)" 'the container that serves'
same 1 "$(instances | wc -l)" 'containers left'
status_is '.apps[0].failure.code' IMAGE_DIGEST_MISMATCH
status_is '.apps[0].poisoned | length' 1
kill "$RIG_PID"
RIG_PID=
proved 'a registry that serves other bytes than were pinned is found out; the release is poisoned and nothing was touched'

port=$(cat "$RIG/registry/registry.port")
fresh=$(image_make shop/web fresh)
registry_stop "$RIG/registry"
shop_release 10 "$fresh"
expect 3 tally sync --timeout 3s
same "$serving" "$(instance_of shop web)" 'the container that serves'
status_is '.apps[0].phase' preparing
REGISTRY_PORT=$port registry_start "$RIG/registry"
expect 0 tally sync --timeout 120s
status_is '.apps[0].running.version' 10
proved 'a registry that is down holds a rollout before anything is stopped; it goes on when the registry is back'

#
# Engines
#

# As a service manager would: again when the first try finds too much wreckage.
engine_back() {
        engine_restart "$RIG/engine" 2>"$RIG/engine.said" || engine_restart "$RIG/engine" ||
                fail 'the engine does not come back'
}

serving=$(instance_of shop web)
shop_release 11 "$better"
engine_kill "$RIG/engine"
expect 1 tally pass
status_is .state degraded
status_is '.apps[0].health' unknown
status_is '.apps[0].running.version' 10
engine_back
expect 0 tally sync --timeout 120s
status_is '.apps[0].running.version' 11
same 1 "$(instances | wc -l)" 'containers left'
proved 'an engine that is down is exit code 1 and touches nothing; the release is deployed when it is back'

# Killed as soon as the new container is there.
shop_release 12 "$fresh"
"$TALLY" --config "$FLEET/etc/tally.yaml" pass >"$RIG/out" 2>&1 &
RIG_PID=$!
for ((i = 0; i < 400; i++)); do
        [ "$(instances | wc -l)" = 1 ] || break
        sleep 0.05
done
engine_kill "$RIG/engine"
code=0
wait "$RIG_PID" || code=$?
RIG_PID=
[ "$code" = 1 ] || [ "$code" = 3 ] || { OUT=$(cat "$RIG/out"); fail "the pass without an engine ended with $code"; }
engine_back
expect 0 tally sync --timeout 120s
status_is '.apps[0].running.version' 12
same 1 "$(instances | wc -l)" 'containers left'
proved 'an engine that is killed in the middle of a rollout: it goes on when the engine is back'

#
# A reboot while old and new are both there
#

shop_web "$good" "$ILL_IS_UNHEALTHY"
app_settings shop 'rollout: {min_healthy_time: 60s, healthy_deadline: 90s, progress_deadline: 90s}'
serving=$(instance_of shop web)
shop_release 13 "$better"
"$TALLY" --config "$FLEET/etc/tally.yaml" pass >"$RIG/out" 2>&1 &
RIG_PID=$!
for ((i = 0; i < 400; i++)); do
        [ "$(jq -r .phase "$FLEET/state/rollouts/shop.json")" != evaluating ] || break
        sleep 0.05
done
kill -KILL "$RIG_PID"
wait "$RIG_PID" 2>/dev/null || :
RIG_PID=
same 2 "$(instances | wc -l)" 'old and new'
new=$(instance_of shop web)
[ "$new" != "$serving" ] || fail 'the old container still serves'
engine_back
for ((i = 0; i < 100; i++)); do
        [ "$(inspect "$new" .State.Running)" != true ] || break
        sleep 0.05
done
same "$new" "$(instance_of shop web)" 'the one that runs after a reboot'
same no "$(inspect "$serving" .HostConfig.RestartPolicy.Name)" 'the restart policy of the old container'
app_settings shop
fleet_commit 'shorter times'
expect 0 tally sync --timeout 120s
same 1 "$(instances | wc -l)" 'containers left'
proved 'after a reboot in the middle exactly one of old and new runs, although both are restart: always'

expect 0 tally doctor
proved 'the ledger is whole after all that'
