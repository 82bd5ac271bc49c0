#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Images of the running and the last proven release are never garbage; older ones stay as far as keep and the budget say.
#
#   images.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

# image VERSION: its reference
declare -A images
for version in 1 2 3 4 5 6 7 8 9; do
        images[$version]=$(image_make shop/web "release $version")
done

# ask REFERENCE JQ: of the image at the engine; nothing when it is not there
ask() {
        engine_api GET "/images/$1/json" | jq -r "if .Id then $2 else empty end"
}

# held: the versions whose images the engine has
held() {
        local version there=
        for version in 1 2 3 4 5 6 7 8 9; do
                [ -z "$(ask "${images[$version]}" .Id)" ] || there="$there$version "
        done
        echo "${there% }"
}

# keep N: in app.yaml
keep() {
        app_settings shop "keep: $1" 'rollout: {min_healthy_time: 500ms, healthy_deadline: 60s, progress_deadline: 60s}'
}

# release VERSION [EXIT]: merged and brought here
release() {
        fleet_release shop "$1" "web=${images[$1]}"
        fleet_commit "shop $1"
        case ${2:-0} in
        3) expect 3 tally pass ;; # it would be tried again and again
        *) expect "${2:-0}" tally sync --timeout 120s ;;
        esac
        [ "${2:-0}" != 0 ] || same "${images[$1]}" "$(instances shop web | awk '$5 == "running" { print $7 }')" "what runs after release $1"
}

# budget BYTES: in tally.yaml, or none
budget() {
        sed -i '/^images:/d' "$FLEET/etc/tally.yaml"
        [ $# -eq 0 ] || echo "images: {budget: $1}" >>"$FLEET/etc/tally.yaml"
}

# pull REFERENCE: as somebody else on this host would
pull() {
        engine_api POST "/images/create?fromImage=${1%@*}&tag=${1#*@}" >"$RIG/pull"
        [ -n "$(ask "$1" .Id)" ] || { cat "$RIG/pull" >&2; fail "$1 was not pulled"; }
}

fleet_app shop "web=${images[1]}"

#
# keep
#

foreign=$(image_make somebodys/tool 'not ours')
pull "$foreign"
pull "${images[2]}"

keep 2
release 1
same '1 2' "$(held)" 'images after release 1'
release 3
release 4
same '1 2 3 4' "$(held)" 'images after release 4'
release 5
same '2 3 4 5' "$(held)" 'images after release 5'
release 6
same '2 4 5 6' "$(held)" 'images after release 6'
[ -n "$(ask "$foreign" .Id)" ] || fail 'an image of somebody else was removed'
proved "keep: 2 keeps the images of the two releases before the one that runs; what others pulled stays"

#
# Without a registry
#

port=$(cat "$RIG/registry/registry.port")
registry_stop "$RIG/registry"
release 5
same '2 4 5 6' "$(held)" 'images after the way back to 5'
release 4
same '2 4 5 6' "$(held)" 'images after the way back to 4'
release 6
release 5
proved 'the way back to each release that is kept needs no registry'

serving=$(instance_of shop web)
release 3 3
same "$serving" "$(instance_of shop web)" 'the container that serves while an image cannot be pulled'
same '2 4 5 6' "$(held)" 'images while one cannot be pulled'
release 5
proved 'a release whose image is gone needs the registry, and touches nothing without it'
REGISTRY_PORT=$port registry_start "$RIG/registry"
same "127.0.0.1:$port" "$REGISTRY" 'the registry'

#
# A release that fails
#

fleet_release shop bad "web=$(image_make shop/web bad /bin/false)"
fleet_commit 'a release that fails'
expect 5 tally sync --timeout 120s
same '2 4 5 6' "$(held)" 'images after a release that failed'
same "${images[5]}" "$(instances shop web | awk '$5 == "running" { print $7 }')" 'what runs after a release that failed'
expect 5 tally pass
proved 'a release that failed costs no image of those proven'

#
# The budget
#

size=$(ask "${images[5]}" .Size)
keep 5
release 7
same '2 4 5 6 7' "$(held)" 'images with keep: 5'
budget "$((3 * size + size / 2))"
release 8
same '2 5 7 8' "$(held)" 'images within a budget of three'
proved 'a budget removes the oldest images first'

budget 1KiB
release 9
same '2 9' "$(held)" 'images beyond the budget'
release 8
same '2 8' "$(held)" 'images beyond the budget, after the way back'
[ -n "$(ask "$foreign" .Id)" ] || fail 'an image of somebody else was removed for the budget'
proved 'a budget that is too small never touches what runs, nor what is not ours'

budget nonsense
expect 2 tally pass
expect_text 'tally.yaml'
budget

#
# The state is lost, and the app goes
#

release 9
release 7
same '2 7 8 9' "$(held)" 'images without a budget'
keep 0
release 9
same '2 9' "$(held)" 'images with keep: 0'
proved 'keep: 0 keeps only what runs'

keep 3
release 8
release 7
same '2 7 8 9' "$(held)" 'images with keep: 3'
rm "$FLEET/state/settled-shop.json"
release 6
same '2 6' "$(held)" 'images after the state was lost'
release 5
same '2 5 6' "$(held)" 'images after the next release'
proved 'a lost history collects early, and begins anew'
