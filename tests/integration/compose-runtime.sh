#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# An app of the runtime compose, from its first release to its removal, beside one of the runtime docker.
#
#   compose-runtime.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

command -v docker-compose >/dev/null || { echo "skipped: no docker compose on this machine"; exit 77; }
rig_make

one=$(image_make shop/web one)
two=$(image_make shop/web two)
crashes=$(image_make shop/web crashes /bin/sh -c 'exit 3')
app=$FLEET/checkout/apps/shop

# docker compose as a person would run it, with nothing of this machine's configuration
person() {
        env -i PATH="$PATH" HOME="$RIG/home" DOCKER_HOST="$ENGINE_HOST" docker-compose "$@"
}

# expect_failure COMMAND…: it ends with another code than 0
expect_failure() {
        if OUT=$("$@" 2>&1); then fail "$* did not fail"; fi
}

#
# Deployed: a file that the docker runtime refuses
#

mkdir -p "$app/parts"
cat >"$app/compose.yaml" <<'YAML'
include: [parts/db.yaml]
services:
  web:
    extends: {service: base, file: parts/base.yaml}
    environment: {COLOR: green, PRICE: "$$5", STAGE: "$STAGE"}
    blkio_config: {weight: 300}
    cpu_period: 50000
    cpu_quota: 25000
    depends_on: {db: {condition: service_started, restart: true}}
    deploy: {replicas: 2, restart_policy: {condition: on-failure, max_attempts: 3}}
    networks: {front: {aliases: [store]}}
    a_key_of_tomorrow: {any: thing}
  debug:
    image: registry.example/debug@sha256:0000000000000000000000000000000000000000000000000000000000000000
    profiles: [debug]
networks: {front: {driver_opts: {com.docker.network.bridge.enable_icc: "true"}}}
YAML
cat >"$app/parts/base.yaml" <<'YAML'
services:
  base:
    image: registry.example/shop/web
    stop_grace_period: 1s
    env_file: ../web.env
    volumes: ["./web.conf:/etc/web.conf:ro"]
    labels: [team=blue]
YAML
cat >"$app/parts/db.yaml" <<'YAML'
services:
  db:
    image: registry.example/shop/db
    container_name: the-db
    stop_grace_period: 1s
    volumes: ["data:/data"]
    networks: [front]
volumes: {data: {}}
YAML
echo 'color = green' >"$app/parts/web.conf"
printf 'FROM_FILE=yes\nCOLOR=red\n' >"$app/web.env"
echo 'STAGE=test' >"$app/.env"
app_settings shop 'runtime: compose'
debug=registry.example/debug@sha256:0000000000000000000000000000000000000000000000000000000000000000

# release VERSION WEB: merged
release() {
        fleet_release shop "$1" "web=$2" "db=$one" "debug=$debug"
        fleet_commit "shop $1"
}

release 1 "$one"
expect_failure tally pass
expect_text 'a_key_of_tomorrow'
same 0 "$(instances | awk '$5 == "running"' | wc -l)" 'running containers'
proved 'what docker compose does not take is told as it says it, before anything is touched'

sed -i '/a_key_of_tomorrow/d' "$app/compose.yaml"
fleet_commit 'shop 1 again'
expect 0 tally sync --timeout 120s
same 'db web web' "$(instances shop | awk '$5 == "running" { print $3 }' | sort | paste -sd' ')" 'what runs'
web=$(instances shop web | awk '$4 == 1 { print $1 }')
same '50000 25000' "$(inspect "$web" '.HostConfig | "\(.CpuPeriod) \(.CpuQuota)"')" 'what only docker compose carries out'
same 'on-failure 3' "$(inspect "$web" '.HostConfig.RestartPolicy | "\(.Name) \(.MaximumRetryCount)"')" 'the restart policy'
same 'color = green' "$(inside "$web" /etc/web.conf)" 'the mounted file'
inspect "$web" '.Config.Env | sort | join(" ")' | grep 'COLOR=green FROM_FILE=yes PATH=/bin PRICE=\$5 STAGE=test' >/dev/null || fail "its variables: $(inspect "$web" .Config.Env)"
same "blue $one" "$(inspect "$web" '.Config.Labels | "\(.team) \(.["tallyman.image"])"')" 'its labels'
same /the-db "$(inspect "$(instance_of shop db)" .Name)" 'the name of db'
status_is .state converged
proved 'an app of the runtime compose is deployed: includes, extends, profiles, and keys that docker refuses'

same 'db web web' "$(person -p shop ps --format '{{.Service}}' | sort | paste -sd' ')" 'docker compose ps'
ENGINE_NETWORK=$(engine_api GET /networks/shop_front | jq -r '.Labels | "\(.["tallyman.app"]) \(.["com.docker.compose.project"]) \(.["com.docker.compose.network"])"')
same 'shop shop front' "$ENGINE_NETWORK" 'the labels of the network'
proved 'docker compose lists them as its own'

#
# The artifact: what is locked means the same to docker compose as what was written
#

# meaning FILE: the services as docker compose understands them, without what locking adds
meaning() {
        local json
        json=$(person --project-directory "$app" -f "$1" --profile '*' config --format json) || fail "docker compose does not take $1"
        jq -S '.services | map_values(del(.image, .env_file) | .labels |= ((. // {}) | with_entries(select(.key | startswith("tallyman.") | not))))' <<<"$json"
}
release=$(status_get '.apps[] | select(.app == "shop") | .running.release')
for file in $(ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" artifacts); do
        ledger_git show "tally/$FLEET_HOST:$file" >"$RIG/artifact"
        ! grep -qx "# release \"$release\"" "$RIG/artifact" || mv "$RIG/artifact" "$RIG/locked.yaml"
done
[ -s "$RIG/locked.yaml" ] || fail "no artifact of $release"
wanted=$(meaning "$app/compose.yaml") got=$(meaning "$RIG/locked.yaml")
[ "$(jq length <<<"$wanted")" = 3 ] || fail "docker compose sees other services: $wanted"
same "$wanted" "$got" 'the locked file'
grep -q "image: \"$one\"" "$RIG/locked.yaml" || fail 'the locked file does not pin the image'
! grep -q 'extends\|include:\|\$STAGE' "$RIG/locked.yaml" || fail 'the locked file is not closed'
proved 'the locked file in the ledger means to docker compose what the compose file means, and needs nothing else'

# lock knows the services that stand in included files
cp -r "$FLEET/checkout" "$RIG/lock"
rm "$RIG/lock/environments/prod/shop.yaml"
expect 0 tally lock --dir "$RIG/lock" --env prod --app shop --version 9 "web=$one" "db=$two"
same "$two $one" "$(sed -n 's/^  \(db\|web\): *//p' "$RIG/lock/environments/prod/shop.yaml" | tr -d '"' | paste -sd' ')" 'the pins that lock wrote'
proved 'tally lock pins services of included files, too'

#
# Beside the docker runtime
#

fleet_app plain "web=$one"
app_settings plain 'prune: true'
fleet_release plain 1 "web=$one"
fleet_commit plain
expect 0 tally sync --timeout 120s
same "shop web" "$(instances shop web | awk 'NR == 1 { print $2, $3 }')" 'the compose app'
status_is '[.apps[].app] | join(" ")' 'plain shop'
status_is '[.apps[].drift[]] | length' 0
proved 'an app of each runtime on one engine: neither takes the other for a stray'

#
# Updated: the new beside the old, db untouched
#

db=$(instance_of shop db)
release 2 "$two"
expect 0 tally sync --timeout 120s
same "$two $two" "$(instances shop web | awk '$5 == "running" { print $7 }' | paste -sd' ')" 'the images'
same "$db" "$(instance_of shop db)" 'db'
same 3 "$(instances shop | wc -l)" 'containers'
status_is '.apps[] | select(.app == "shop") | .running.version' 2
proved 'an update replaces what changed and nothing else'

#
# Rolled back
#

web=$(instances shop web | awk '$4 == 1 { print $1 }')
release 3 "$crashes"
expect 5 tally sync --timeout 120s
status_is '.apps[] | select(.app == "shop") | .running.version' 2
same "$two $two" "$(instances shop web | awk '$5 == "running" { print $7 }' | paste -sd' ')" 'the images'
same "$web" "$(instances shop web | awk '$4 == 1 { print $1 }')" 'the container from before'
same "$db" "$(instance_of shop db)" 'db'
proved 'a release that crashes is taken back: the very containers from before serve'

#
# Drift
#

release 2 "$two"
expect 0 tally sync --timeout 120s
engine_api DELETE "/containers/$web?force=1" >/dev/null
engine_api POST "/containers/$db/stop?t=1" >/dev/null
engine_api POST /networks/shop_front/disconnect -H 'Content-Type: application/json' \
        -d "{\"Container\": \"$(instances shop web | awk '$4 == 2 { print $1 }')\"}" >/dev/null
expect 3 tally diff
expect_text DRIFT_MISSING
expect_text DRIFT_STOPPED
expect_text DRIFT_NETWORK
expect 0 tally sync --timeout 120s
same 'db web web' "$(instances shop | awk '$5 == "running" { print $3 }' | sort | paste -sd' ')" 'what runs'
same /the-db "$(inspect "$(instance_of shop db)" .Name)" 'the name of db'
status_is .state converged
proved 'a container that is gone, one that is stopped and one that is detached are told and repaired'

expect 0 tally pass
[ -e "$FLEET/state/quiet.json" ] || fail 'a host that is as declared is not remembered as quiet'
engine_api POST "/containers/$(instance_of shop db)/stop?t=1" >/dev/null
expect 0 tally pass
same 'db web web' "$(instances shop | awk '$5 == "running" { print $3 }' | sort | paste -sd' ')" 'what runs after a quiet time'
proved 'a quiet pass looks at the engine of an app of the runtime compose, too'

expect 0 tally doctor
expect_text 'docker compose 2.'
proved 'doctor asks the docker compose that is used'

echo 'color = blue' >"$app/parts/web.conf"
fleet_release shop 4 "web=$two" "db=$one" "debug=$debug"
fleet_commit 'shop 4'
expect 0 tally sync --timeout 120s
same 'color = blue' "$(inside "$(instances shop web | awk '$4 == 1 { print $1 }')" /etc/web.conf)" 'the mounted file'
same "$db" "$(instance_of shop db)" 'db'
proved 'a changed file is a new release of what mounts it'

#
# What is remote
#

cp "$app/compose.yaml" "$RIG/compose.yaml"
sed -i '1s|.*|include: ["https://git.example/team/stack.git"]|' "$app/compose.yaml"
expect 2 tally check "$FLEET/checkout"
expect_text "apps/shop/compose.yaml:1:11: 'https://git.example/team/stack.git' is remote"
proved 'a remote include is refused, with its place'

#
# To the docker runtime, and away
#

cat >"$app/compose.yaml" <<YAML
services:
  web: {image: registry.example/shop/web, stop_grace_period: 1s}
YAML
app_settings shop 'prune: true'
fleet_release shop 5 "web=$two"
fleet_commit 'shop 5, of the docker runtime'
expect 0 tally sync --timeout 120s
same "$two" "$(instances shop web | awk '{ print $7 }')" 'what is left'
same 1 "$(instances shop | wc -l)" 'containers of shop'
status_is .state converged
proved 'an app can change its runtime: the other one takes its containers over'

#
# Removed
#

mkdir -p "$FLEET/checkout/apps/brief"
cat >"$FLEET/checkout/apps/brief/compose.yaml" <<YAML
services:
  web: {image: "$one", stop_grace_period: 1s, volumes: ["data:/data"]}
volumes: {data: {}}
YAML
app_settings brief 'runtime: compose' 'prune: true'
fleet_release brief 1
sed -i 's/^images:$/images: {}/' "$FLEET/checkout/environments/prod/brief.yaml"
fleet_commit brief
expect 0 tally sync --timeout 120s
instance_of brief web >/dev/null
rm "$FLEET/checkout/environments/prod/brief.yaml"
fleet_commit 'no brief'
expect 0 tally sync --timeout 120s
same 0 "$(instances brief | wc -l)" 'containers of brief'
same brief_data "$(engine_api GET /volumes/brief_data | jq -r .Name)" 'its volume'
expect 0 tally pass
same 404 "$(engine_api GET /networks/brief_default -o /dev/null -w '%{http_code}')" 'its network'
proved 'an app of the runtime compose that is not declared any more goes, but its volume stays'
