#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A fleet in DIR, on the fake runtime, just before the pass that a scene is about.
#
#   scene.sh TALLY DIR SCENE        SCENE: one of `scene.sh --list`, with what may come of it in its columns
#
# The columns: name; the release that must run at the end; how many instances of web and of api must be in service all the time; exit codes.

set -euo pipefail

list='
first                1 0 0 0
recreate             2 0 0 0
recreate-bad         1 0 0 5
rolling              2 2 1 0
rolling-bad          1 2 1 5
stop-first           2 1 0 0
stop-first-bad       1 1 0 5
canary               2 2 1 0
canary-bad           1 2 1 5
blue-green           2 2 1 0
blue-green-bad       1 2 1 5
steps                2 2 1 0
steps-bad            1 2 1 5
migration-bad        1 2 1 5
repair               1 1 0 0
removal              none 0 0 0
retry                2 2 1 0
refusal              1 2 1 4
'
if [ "$1" = --list ]; then
        grep . <<<"$list"
        exit
fi

TALLY=$(realpath "$1")
RIG=$2
scene=$3
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

unset DOCKER_CONFIG TALLY_CONFIG DOCKER_HOST
export HOME=$RIG/home GIT_CONFIG_NOSYSTEM=1
mkdir -p "$HOME"
fleet_make "$RIG" web1

# The app shop: two of web, one of api; api may be ill.
routed='traffic: {router: memory, service: web, port: 80, listen: "127.0.0.1:8000"}'
shop() {
        local rollout=$1
        shift
        mkdir -p "$FLEET/checkout/apps/shop"
        printf 'apiVersion: tallyman/v1\nkind: App\napp: shop\nruntime: fake\n' >"$FLEET/checkout/apps/shop/app.yaml"
        printf 'rollout: {%s, min_healthy_time: 0s, healthy_deadline: 60s, progress_deadline: 60s}\n' "$rollout" >>"$FLEET/checkout/apps/shop/app.yaml"
        [ $# -eq 0 ] || printf '%s\n' "$@" >>"$FLEET/checkout/apps/shop/app.yaml"
        cat >"$FLEET/checkout/apps/shop/compose.yaml" <<END
services:
  web: {image: "registry.example/shop/web", ports: ["80"], deploy: {replicas: 2}, healthcheck: {test: ["CMD", "true"]}}
  api: {image: "registry.example/shop/api", healthcheck: {test: ["CMD", "true"]}}
END
}

# job NAME: a service of that name that runs to its end
job() {
        printf '  %s: {image: "registry.example/shop/%s"}\n' "$1" "$1" >>"$FLEET/checkout/apps/shop/compose.yaml"
}

# wanted VERSION [SERVICE…]: the release with these services besides, merged
wanted() {
        local version=$1 name pairs=()
        shift
        for name in web api "$@"; do
                pairs+=("$name=registry.example/shop/$name@sha256:$(printf %s "$version" | sha256sum | cut -d' ' -f1)")
        done
        fleet_release shop "$version" "${pairs[@]}"
        fleet_commit "release $version"
}

# settled CODE: passes until all is done
settled() {
        expect "$1" "$TALLY" --config "$FLEET/etc/tally.yaml" sync --timeout 60s
}

for version in 1 2; do
        for index in 1 2; do
                fake_set ".start[\"shop/web/$index@$version\"].endpoints = [{\"port\": 80, \"address\": \"127.0.0.1:80$version$index\"}]"
        done
done
case $scene in
*-bad | retry) fake_set '.start["shop/api@2"].health = "unhealthy"' ;;
esac
# What the ill ones say is kept by a pass that may be killed over it.
fake_set '.output = {"shop/api@2": "no such table\n", "shop/migrate@2": "no such column\n"}'
jobs=()
case $scene in
first | recreate*) shop 'strategy: recreate' ;;
rolling* | refusal | repair) shop 'strategy: rolling' ;;
removal)
        shop 'strategy: rolling' 'prune: true'
        # An environment has something in it.
        fake_app idle
        fake_release 1 idle
        ;;
stop-first*) shop 'strategy: rolling, order: stop-first' ;;
canary* | retry) shop 'strategy: canary, steps: [{weight: 25, hold: 0s}, {weight: 60, hold: 0s}]' "$routed" ;;
blue-green*) shop 'strategy: blue-green, bake: 0s' "$routed" ;;
steps*)
        printf 'commands: {tell: [/bin/true]}\n' >>"$FLEET/etc/tally.yaml"
        shop 'strategy: rolling' 'roles: {smoke: hook}' 'steps:' '  - {name: get, prepare: true}' '  - {name: tell, notify: tell, needs: [get]}' \
                '  - {name: half, stage: 50, needs: [get]}' '  - {name: smoke, hook: {service: smoke}}' '  - {name: all, stage: 100}'
        job smoke
        jobs=(smoke)
        fake_set '.start["shop/smoke"].exit_code = 0'
        ;;
migration-bad)
        shop 'strategy: rolling' 'roles: {migrate: migration}'
        job migrate
        jobs=(migrate)
        fake_set '.start["shop/migrate@1"].exit_code = 0 | .start["shop/migrate@2"].exit_code = 4'
        ;;
*) echo "there is no scene '$scene'" >&2; exit 2 ;;
esac

wanted 1 "${jobs[@]}"
[ "$scene" != first ] || exit 0
settled 0
case $scene in
repair)
        # The fake has no list that a quiet pass could ask for.
        rm "$FLEET/state/quiet.json"
        fake_set '.instances |= map(select(.service != "api")) | (.instances | map(.service == "web") | index(true)) as $i | .instances[$i].state = "exited"'
        ;;
removal)
        rm "$FLEET/checkout/environments/prod/shop.yaml"
        fleet_commit 'no shop'
        ;;
refusal) fleet_release shop 2 "web=$(fake_image 2)"; fleet_commit 'by nobody' '' ;;
retry)
        wanted 2
        settled 5
        bad=$(status_get '.apps[0].desired.release')
        printf 'alice@example.org namespaces="git,approval@tallyman" %s\n' "$(cut -d' ' -f1,2 "$FLEET/keys/alice.pub")" >"$FLEET/checkout/trust/allowed_signers"
        fake_set 'del(.start["shop/api@2"])'
        "$TALLY" --quiet retry --dir "$FLEET/checkout" "$bad" --reason 'again' --sign "$FLEET/keys/alice" >/dev/null
        fleet_commit 'try again'
        ;;
*) wanted 2 "${jobs[@]}" ;;
esac
