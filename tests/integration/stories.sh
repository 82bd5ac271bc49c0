#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How other tools' pulls failed (docs/stories.md), on a real engine: limits of pulls, logins that ran out, images that are gone when they
# are needed. More of it: outage.sh, interrupted.sh, images.sh.
#
#   stories.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

python3 "$here/lib/registry_moody.py" "$REGISTRY" "$RIG/mood" >"$RIG/moody.port" 2>"$RIG/moody.said" &
RIG_PID=$!
disown "$RIG_PID"
for ((i = 0; i < 200; i++)); do
        [ ! -s "$RIG/moody.port" ] || break
        sleep 0.05
done
moody=127.0.0.1:$(cat "$RIG/moody.port")

# image TEXT: one that the moody registry serves
image() {
        local made
        made=$(image_make shop/web "$1")
        echo "$moody/${made#*/}"
}

times='min_healthy_time: 200ms, healthy_deadline: 30s, progress_deadline: 60s'
# shop REPLICAS ROLLOUT [LINE…]: apps/shop with one service; its image says whether it is ill
shop() {
        local replicas=$1 rollout=$2
        shift 2
        app_settings shop "rollout: {$rollout, $times}" "$@"
        printf 'services:\n  web:\n    image: %s/shop/web\n    stop_grace_period: 1s\n    deploy: {replicas: %d}\n    healthcheck: {test: ["CMD-SHELL", "%s"], interval: 700ms, timeout: 20s, retries: 2}\n' \
                "$moody" "$replicas" "${health:-true}" >"$FLEET/checkout/apps/shop/compose.yaml"
}
health=

# serving: the ids of what runs
serving() {
        instances shop web | awk '$5 == "running" { print $1 }' | sort | paste -sd' '
}

# runs VERSION IMAGE: that, everywhere, and nothing else
runs() {
        status_is '.apps[0] | "\(.phase) \(.running.version)"' "settled $1"
        same "$2" "$(instances shop | awk '$5 == "running" { print $7 }' | sort -u)" 'the image that runs'
}

#
# Limits and logins
#

canary='strategy: canary, steps: [{weight: 50, hold: 2s}]'
one=$(image one) two=$(image two) three=$(image three)
shop 2 "$canary"
shop_release 1 "$one"
expect 0 tally sync --timeout 120s
runs 1 "$one"

before=$(serving)
echo busy >"$RIG/mood"
: >"$RIG/mood.log"
shop_release 2 "$two"
expect 3 tally sync --timeout 8s
same "$before" "$(serving)" 'what serves'
status_is '.apps[0] | "\(.phase) \(.failure.code) \(.poisoned | length)"' 'preparing IMAGE_PULL_FAILED 0'
asked=$(grep -c manifests "$RIG/mood.log")
[ "$asked" -ge 2 ] && [ "$asked" -le 24 ] || fail "the registry was asked $asked times in 8 seconds"
rm "$RIG/mood"
expect 0 tally sync --timeout 120s
runs 2 "$two"
proved 'a limit of pulls (429) is no verdict: nothing is touched, it is asked for less and less often, then it goes on'

shop_release 3 "$three"
for ((i = 0; i < 100; i++)); do
        expect 3 tally sync --timeout 300ms
        [ "$(jq -r .prepared "$FLEET/state/rollouts/shop.json")" != true ] || break
done
echo expired >"$RIG/mood"
: >"$RIG/mood.log"
expect 0 tally sync --timeout 120s
runs 3 "$three"
same 0 "$(grep -c manifests "$RIG/mood.log")" 'how often the registry was asked in the middle of the canary'
proved 'a login that ends while a canary is under way hangs nothing: all was pulled before it began'

before=$(serving)
four=$(image four)
shop_release 4 "$four"
expect 3 tally sync --timeout 3s
same "$before" "$(serving)" 'what serves'
status_is '.apps[0] | "\(.phase) \(.failure.code) \(.poisoned | length)"' 'preparing IMAGE_AUTH 0'
rm "$RIG/mood"
expect 0 tally sync --timeout 120s
runs 4 "$four"
proved 'a login that ended: the release waits, unpoisoned, and deploys when the registry is itself again'

#
# Without a registry
#

kill "$RIG_PID"
RIG_PID=
health=false
for n in 20 21; do
        before=$(serving)
        shop 2 'strategy: rolling'
        shop_release "$n" "$three"
        expect 5 tally sync --timeout 120s
        same "$before" "$(serving)" 'the very instances that served before'
        status_is '.apps[0] | "\(.running.version) \(.failure.code)"' '4 ROLLOUT_UNHEALTHY'
done
proved 'without a registry a release that fails is taken back, twice: the very instances from before serve on'

health=
shop 2 'strategy: rolling'
shop_release 22 "$four"
expect 0 tally sync --timeout 120s
runs 22 "$four"
engine_api DELETE "/containers/$(serving | cut -d' ' -f1)?force=1"
expect 0 tally sync --timeout 120s
runs 22 "$four"
same 2 "$(serving | wc -w)" 'how many run'
proved 'without a registry what somebody removed is made anew'
