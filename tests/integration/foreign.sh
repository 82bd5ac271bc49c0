#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What is not ours is left alone, and what is ours goes only when it may.
#
#   foreign.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

image=$(image_make shop/web web)

shop_mounting "$image"
app_settings shop
fleet_release shop 1 "web=$image"
printf 'apiVersion: tallyman/v1\nkind: Environment\nenvironment: prod\n' >"$FLEET/checkout/environments/prod/environment.yaml"
fleet_commit shop
expect 0 tally sync --timeout 120s
same 'color = green' "$(inside "$(instance_of shop web)" /etc/web.conf)" 'the mounted file'

#
# What is not ours
#

# foreign KIND NAME WHAT: app intruder cannot be deployed, the fault names NAME, and nothing is left of the try
foreign() {
        app_settings intruder
        fleet_commit "intruder: $1"
        expect 5 tally sync --timeout 120s
        expect_text RESOURCE_FOREIGN
        expect_text "'$2'"
        same '' "$(instances intruder)" 'containers of the intruder'
        rm -rf "$FLEET/checkout/apps/intruder" "$FLEET/checkout/environments/prod/intruder.yaml"
        fleet_commit 'no intruder'
        expect 0 tally sync --timeout 120s
        proved "$3"
}

theirs=$(engine_api POST '/containers/create?name=theirs' -H 'Content-Type: application/json' \
        -d "{\"Image\": \"$image\", \"Labels\": {\"com.docker.compose.project\": \"intruder\"}}" | jq -r .Id)
engine_api POST "/containers/$theirs/start"
fleet_app intruder "web=$image"
echo '    container_name: theirs' >>"$FLEET/checkout/apps/intruder/compose.yaml"
fleet_release intruder 1 "web=$image"
foreign container theirs "a container of that name that is not ours is never touched"
same "true /theirs" "$(inspect "$theirs" '"\(.State.Running) \(.Name)"')" 'their container'

# What the try before made for itself.
engine_api DELETE /networks/intruder_default
engine_api POST /networks/create -H 'Content-Type: application/json' -d '{"Name": "intruder_default"}' >/dev/null
fleet_app intruder "web=$image"
fleet_release intruder 2 "web=$image"
foreign network intruder_default 'a network of that name that is not ours is never used'
same null "$(engine_api GET /networks/intruder_default | jq -r '.Labels["tallyman.host"]')" 'labels of their network'

engine_api POST /volumes/create -H 'Content-Type: application/json' -d '{"Name": "intruder_data"}' >/dev/null
engine_api DELETE /networks/intruder_default
fleet_app intruder "web=$image"
printf '    volumes: ["data:/data"]\nvolumes: {data: {}}\n' >>"$FLEET/checkout/apps/intruder/compose.yaml"
fleet_release intruder 3 "web=$image"
foreign volume intruder_data 'a volume of that name that is not ours is never mounted'
same null "$(engine_api GET /volumes/intruder_data | jq -r '.Labels["tallyman.host"]')" 'labels of their volume'

#
# Orphans
#

sed -i '/^  api:/,/^    stop_grace_period/d' "$FLEET/checkout/apps/shop/compose.yaml"
fleet_release shop 2 "web=$image"
fleet_commit 'without api'
expect 0 tally sync --timeout 120s
api=$(instance_of shop api)
status_is '[.apps[].drift[].code] | join(" ")' DRIFT_EXTRA
proved 'a service that is no longer declared runs on without prune, and is told'

app_settings shop 'prune: true'
fleet_commit 'prune'
expect 0 tally sync --timeout 120s
same '' "$(instances shop api)" 'the orphan'
status_is '[.apps[].drift[]] | length' 0
proved 'with prune: true it is removed'

web=$(instance_of shop web)
volume=$(inspect "$web" '.Mounts[] | select(.Destination == "/data") | .Name')
same shop_data "$volume" 'the name of the volume'
echo precious >"$(engine_api GET "/volumes/$volume" | jq -r .Mountpoint)/kept"
rm "$FLEET/checkout/environments/prod/shop.yaml"
fleet_commit 'no shop'
expect 0 tally sync --timeout 120s
same '' "$(instances shop)" 'containers of an app that is gone'
same precious "$(cat "$(engine_api GET "/volumes/$volume" | jq -r .Mountpoint)/kept")" 'content of the volume'
same '' "$(engine_api GET /networks | jq -r '.[].Name | select(. == "shop_default")')" 'the network of an app that is gone'
proved 'an app that is no longer declared goes with its network; its volumes never do'

[ ! -e "$FLEET/state/rollouts/shop.json" ] || fail 'the state remembers an app that is gone'
status_is '[.apps[] | select(.app == "shop")] | length' 0
proved 'what was removed is forgotten'

fleet_release shop 3 "web=$image"
fleet_commit 'shop again'
expect 0 tally sync --timeout 120s
same precious "$(inside "$(instance_of shop web)" /data/kept)" 'content of the volume'
proved 'when it comes back it finds its volume'

#
# Files of the repository
#

echo 'color = yellow' >"$FLEET/checkout/apps/shop/web.conf"
fleet_commit 'another color'
web=$(instance_of shop web)
expect 0 tally pass
[ "$web" != "$(instance_of shop web)" ] || fail 'the container was not replaced'
same 'color = yellow' "$(inside "$(instance_of shop web)" /etc/web.conf)" 'the mounted file'
proved 'a mounted file that a merge changes replaces the container, though no image changed'
