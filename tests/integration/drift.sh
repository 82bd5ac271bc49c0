#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Hands on the host: what is changed beside Tallyman is told and repaired.
#
#   drift.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

image=$(image_make shop/web web)
other=$(image_make shop/web other)

shop_mounting "$image"
app_settings shop
fleet_release shop 1 "web=$image"
fleet_commit shop
expect 0 tally sync --timeout 120s
same 'color = green' "$(inside "$(instance_of shop web)" /etc/web.conf)" 'the mounted file'

# What a person would do. An hour of quiet passes between two of them.
fresh() {
        jq 'del(.breaker)' "$FLEET/state/rollouts/shop.json" >"$RIG/rollout.json"
        cat "$RIG/rollout.json" >"$FLEET/state/rollouts/shop.json"
        records_mark
}

# repaired CODE WHAT: a diff tells CODE, a pass records and repairs it, and all is as it should be
repaired() {
        expect 3 tally diff
        expect_text "$1"
        expect 0 tally pass
        [[ " $(record_kinds) " == *' drift '* ]] || fail "no drift record but: $(record_kinds)"
        records "select(.record.recordType == \"drift\") | .record.drift[]?.code" | tail -n 3 | grep -x "$1" >/dev/null || fail "no record of $1"
        status_is .state converged
        status_is '[.apps[].drift[]] | length' 0
        instance_of shop web >/dev/null
        instance_of shop api >/dev/null
        same 2 "$(instances shop | wc -l)" 'containers'
        proved "$2"
}

fresh
api=$(instance_of shop api)
web=$(instance_of shop web)
engine_api POST "/containers/$web/stop?t=1"
repaired DRIFT_STOPPED 'a container that somebody stopped is started again'
same "$web" "$(instance_of shop web)" 'the container that was stopped'

fresh
engine_api POST "/containers/$web/kill"
while [ "$(inspect "$web" .State.Running)" = true ]; do sleep 0.05; done
repaired DRIFT_STOPPED 'a container that somebody killed is started again'

fresh
engine_api DELETE "/containers/$web?force=1"
repaired DRIFT_MISSING 'a container that somebody removed is made again'
same "$api" "$(instance_of shop api)" 'the container beside it'

fresh
web=$(instance_of shop web)
engine_api POST "/containers/$web/rename?name=renamed"
rm -f "$FLEET/state/quiet.json"
expect 0 tally pass
same "$web" "$(instance_of shop web)" 'the renamed container'
same 2 "$(instances shop | wc -l)" 'containers'
engine_api DELETE "/containers/$web?force=1"
expect 0 tally pass
proved 'a container that somebody renamed stays ours: it is known by its labels'

fresh
web=$(instance_of shop web)
network=$(inspect "$web" '.NetworkSettings.Networks | keys[0]')
engine_api POST "/networks/$network/disconnect" -H 'Content-Type: application/json' -d "{\"Container\": \"$web\", \"Force\": true}"
repaired DRIFT_NETWORK 'a container that was detached from its network is replaced'

fresh
web=$(instance_of shop web)
inspect "$web" '{Image: "IMAGE", Labels: .Config.Labels, HostConfig: {Binds: .HostConfig.Binds, Mounts: .HostConfig.Mounts, NetworkMode: .HostConfig.NetworkMode}}' |
        jq --arg image "$other" '.Image = $image' >"$RIG/forged.json"
engine_api POST "/images/create?fromImage=${other%@*}&tag=${other#*@}" >/dev/null
engine_api DELETE "/containers/$web?force=1"
forged=$(engine_api POST '/containers/create?name=forged' -H 'Content-Type: application/json' -d "@$RIG/forged.json" | jq -r .Id)
engine_api POST "/containers/$forged/start"
repaired DRIFT_IMAGE 'a container with our labels and another image is found out and replaced'
[ "$forged" != "$(instance_of shop web)" ] || fail 'the forged container still serves'
same web "$(inside "$(instance_of shop web)" /www/index.html)" 'what serves'

fresh
web=$(instance_of shop web)
inspect "$web" '{Image: .Config.Image, Labels: .Config.Labels}' >"$RIG/extra.json"
extra=$(engine_api POST '/containers/create?name=extra' -H 'Content-Type: application/json' -d "@$RIG/extra.json" | jq -r .Id)
engine_api POST "/containers/$extra/start"
repaired DRIFT_EXTRA 'a second container with the labels of one of ours is removed'

fresh
web=$(instance_of shop web)
file=$(inspect "$web" '.Mounts[] | select(.Destination == "/etc/web.conf") | .Source')
chmod u+w "$file" "$(dirname "$file")"
echo 'color = red' >"$file"
repaired DRIFT_FILE 'a mounted file that somebody edited on the host is written again, and the container replaced'
same 'color = green' "$(inside "$(instance_of shop web)" /etc/web.conf)" 'the mounted file'

fresh
file=$(inspect "$(instance_of shop web)" '.Mounts[] | select(.Destination == "/etc/web.conf") | .Source')
echo 'color = blue' >"$RIG/blue"
mv "$RIG/blue" "$file"
repaired DRIFT_FILE 'a mounted file that somebody put another in the place of is seen, too'
same 'color = green' "$(inside "$(instance_of shop web)" /etc/web.conf)" 'the mounted file'

fresh
echo '{}' >"$FLEET/state/sticker.json"
rm -f "$FLEET/state/quiet.json"
expect 0 tally pass
same 'DRIFT_STICKER' "$(records 'select(.record.recordType == "drift") | .record.error.code // empty' | tail -n 1)" 'the drift record'
cmp -s <(jq -S . "$FLEET/state/sticker.json") <(ledger_git show tally/web1:sticker.json | jq -S .) || fail 'the sticker was not written again'
proved 'a sticker that somebody edited is told and written again'

#
# drift: report
#

app_settings shop 'drift: report'
fleet_commit 'only report'
expect 0 tally sync --timeout 120s
fresh
web=$(instance_of shop web)
engine_api POST "/containers/$web/stop?t=1"
expect 3 tally pass
expect 3 tally pass
same false "$(inspect "$web" .State.Running)" 'the stopped container runs'
status_is '[.apps[].drift[].code] | join(" ")' DRIFT_STOPPED
same 1 "$(record_kinds | tr ' ' '\n' | grep -cx drift)" 'drift records'
engine_api POST "/containers/$web/start"
expect 0 tally pass
app_settings shop
fleet_commit 'repair again'
expect 0 tally sync --timeout 120s
proved 'drift: report tells once and touches nothing'
