#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a compose file says is what runs: order, ports, replicas, names.
#
#   compose.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

image=$(image_make shop/web one)
two=$(image_make shop/web two)
port=$((20000 + RANDOM % 10000))

#
# Order
#

mkdir -p "$FLEET/checkout/apps/chain"
cat >"$FLEET/checkout/apps/chain/compose.yaml" <<YAML
services:
  db:
    image: $image
    stop_grace_period: 1s
    command: ["/bin/sh", "-c", "sleep 1; touch /tmp/ready; while :; do sleep 1; done"]
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/ready"], interval: 300ms, timeout: 20s, retries: 30}
  migrate:
    image: $image
    command: ["/bin/sh", "-c", "sleep 1"]
    depends_on: {db: {condition: service_healthy}}
  web:
    image: $image
    stop_grace_period: 1s
    depends_on: {migrate: {condition: service_completed_successfully}}
YAML
app_settings chain
fleet_release chain 1 "web=$image"
fleet_commit chain
expect 0 tally sync --timeout 120s
db=$(instance_of chain db)
web=$(instance_of chain web)
job=$(instances chain migrate | cut -f1)
same 'exited 0' "$(inspect "$job" '"\(.State.Status) \(.State.ExitCode)"')" 'the job'
ready=$(inspect "$db" '[.State.Health.Log[] | select(.ExitCode == 0)][0].Start' | sed 's/[-+Z].*//; s/T.*//')
[ -n "$ready" ] || fail 'db was never healthy'
same 'db migrate web' "$(for id in "$db" "$job" "$web"; do
        inspect "$id" '"\(.State.StartedAt) \(.Config.Labels["tallyman.service"])"'
done | sort | cut -d' ' -f2 | paste -sd' ')" 'the order of starts'
[[ $(inspect "$job" .State.FinishedAt) < $(inspect "$web" .State.StartedAt) ]] || fail 'web started before the job was done'
status_is .state converged
proved 'depends_on: started in order, after health and after completion'

expect 0 tally pass
rm -f "$FLEET/state/quiet.json"
expect 0 tally pass
same "$job" "$(instances chain migrate | cut -f1)" 'the job'
proved 'a job that has run to its end is no drift, and does not run again'

#
# Replicas
#

# replicas N: and the commit
replicas() {
        fleet_app many "web=$image"
        printf '    deploy: {replicas: %d}\n' "$1" >>"$FLEET/checkout/apps/many/compose.yaml"
        app_settings many
        fleet_release many "$1 replicas" "web=$image"
        fleet_commit "$1 replicas"
        expect 0 tally sync --timeout 120s
        same "$(seq -s' ' "$1")" "$(instances many | awk '$5 == "running" { print $4 }' | paste -sd' ')" 'replicas that run'
        same "$1" "$(instances many | wc -l)" 'containers'
}
replicas 2
first=$(instances many | awk '$4 == 1 { print $1 }')
replicas 1
same "$first" "$(instance_of many web)" 'the first replica'
replicas 3
same "$first" "$(instances many | awk '$4 == 1 { print $1 }')" 'the first replica'
proved 'replicas 2, 1, 3: only what changes in number comes and goes'

#
# Ports and names: they can be held by one container at a time
#

# serves TEXT: the published port answers so
serves() {
        local i text=
        for ((i = 0; i < 100; i++)); do
                text=$(curl -sS --max-time 5 "http://127.0.0.1:$port/" 2>/dev/null) || text=
                [ "$text" != "$1" ] || return 0
                sleep 0.1
        done
        fail "port $port answers '$text', not '$1'"
}

# shop IMAGE VERSION
shop() {
        fleet_app shop "web=$1"
        cat >>"$FLEET/checkout/apps/shop/compose.yaml" <<YAML
    command: ["httpd", "-f", "-p", "80", "-h", "/www"]
    init: true
    container_name: the-shop
    ports: ["127.0.0.1:$port:80"]
    environment: {COLOR: "green", PRICE: "\$\$5"}
    tmpfs: ["/scratch"]
    labels: {team: blue}
    user: "1000:1000"
    sysctls: {net.ipv4.ip_unprivileged_port_start: "0"}
    working_dir: /www
    read_only: true
    hostname: shop.example
    networks: {default: {aliases: [store]}}
YAML
        app_settings shop
        fleet_release shop "$2" "web=$1"
        fleet_commit "shop $2"
        expect 0 tally sync --timeout 120s
}
shop "$image" 1
serves one
web=$(instance_of shop web)
same 'the-shop' "$(inspect "$web" '.Name[1:]')" 'its name'
same '1000:1000 /www shop.example true blue' "$(inspect "$web" '[.Config.User, .Config.WorkingDir, .Config.Hostname, .HostConfig.ReadonlyRootfs, .Config.Labels.team] | map(tostring) | join(" ")')" 'what it was made of'
inspect "$web" '.Config.Env[]' | grep -x 'PRICE=$5' >/dev/null || fail 'PRICE is not $5'
inspect "$web" '.NetworkSettings.Networks.shop_default.Aliases[]' | grep -x store >/dev/null || fail 'it has no alias'
proved 'a published port is reached, and the container is what the file says'

shop "$two" 2
serves two
[ "$web" != "$(instance_of shop web)" ] || fail 'the container was not replaced'
same 'the-shop' "$(inspect "$(instance_of shop web)" '.Name[1:]')" 'its name'
same 1 "$(instances shop | wc -l)" 'containers'
proved 'the new release takes over the port and the name of the old one'

# One that cannot work gives them back.
crashes=$(image_make shop/web crashes)
fleet_release shop 3 "web=$crashes"
sed -i 's/"httpd", /"\/bin\/there-is-none", /' "$FLEET/checkout/apps/shop/compose.yaml"
fleet_commit 'shop 3'
expect 5 tally sync --timeout 120s
serves two
same 'the-shop' "$(inspect "$(instance_of shop web)" '.Name[1:]')" 'its name'
same 1 "$(instances shop | wc -l)" 'containers'
proved 'a release that fails gives port and name back'

# Somebody else has the port.
taken=$((port + 1))
python3 -c '
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("up", flush=True); time.sleep(600)' "$taken" >"$RIG/taken" &
RIG_PID=$!
disown "$RIG_PID"
while [ ! -s "$RIG/taken" ]; do sleep 0.05; done
fleet_app clash "web=$image"
printf '    ports: ["127.0.0.1:%d:80"]\n' "$taken" >>"$FLEET/checkout/apps/clash/compose.yaml"
app_settings clash
fleet_release clash 1 "web=$image"
fleet_commit clash
expect 5 tally sync --timeout 120s
expect_text "$taken"
status_is '.apps[] | select(.app == "clash") | .failure.code' ROLLOUT_START_FAILED
same '' "$(instances clash)" 'what is left of the clash'
serves two
proved 'a port of the host that is taken fails that app alone, and names the port'
