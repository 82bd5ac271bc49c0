#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How other tools applied half of a change, or somebody else's (docs/stories.md), on a real engine: half a stack, crash loops,
# names that two apps share, files that vanish, dependencies that are made anew.
#
#   stories-apply.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

one=$(image_make shop/web one)
two=$(image_make shop/web two)
fails=$(image_make shop/web fails /bin/sh -c 'exit 3')
loops=$(image_make shop/web loops /bin/sh -c 'sleep 1; exit 3')

# where APP: services, states and versions of all instances of an app, in one line
where() {
        instances "$1" | awk '{ print $3, $5 }' | sort | paste -sd,
}

#
# Half a stack
#

fleet_app shop "api=$one" "db=$one" "web=$one"
app_settings shop 'rollout: {min_healthy_time: 2s, healthy_deadline: 60s, progress_deadline: 60s}'
fleet_release shop 1 "api=$one" "db=$one" "web=$fails"
fleet_commit 'shop 1'
expect 5 tally sync --timeout 120s
same '' "$(where shop)" 'what is left of a stack of which one service does not run'
status_is '.apps[0] | "\(.state) \(.running) \(.failure.code)"' 'failed null ROLLOUT_EXITED'
proved 'half a stack is never success: a first release of which one service fails leaves nothing, and exit code 5'

fleet_release shop 2 "api=$one" "db=$one" "web=$one"
fleet_commit 'shop 2'
expect 0 tally sync --timeout 120s
before=$(instances shop | awk '{ print $1 }' | sort | paste -sd,)
fleet_release shop 3 "api=$two" "db=$two" "web=$fails"
fleet_commit 'shop 3'
expect 5 tally sync --timeout 120s
same "$before" "$(instances shop | awk '$5 == "running" { print $1 }' | sort | paste -sd,)" 'the instances that serve'
same 3 "$(instances shop | wc -l)" 'containers left'
status_is '.apps[0] | "\(.state) \(.running.version)"' 'failed 2'
proved 'half a stack is never success: when one of three services fails all three are what they were, the very same containers'

#
# A crash loop that looks like running
#

app_settings shop 'rollout: {min_healthy_time: 3s, healthy_deadline: 60s, progress_deadline: 60s}'
sed -i 's/^    stop_grace_period.*/&\n    restart: always/' "$FLEET/checkout/apps/shop/compose.yaml"
fleet_release shop 4 "api=$one" "db=$one" "web=$loops"
fleet_commit 'shop 4'
code=0
OUT=$(tally sync --timeout 90s 2>&1) || code=$?
same 5 "$code" 'the exit code'
status_is '.apps[0] | "\(.running.version) \(.failure.code)"' '2 ROLLOUT_EXITED'
same 'api running,db running,web running' "$(where shop)" 'what serves'
expect 0 tally explain shop
expect_text 'restarted'
proved 'a crash loop that restart: always hides, up at each look, is seen as one and taken back'

#
# One app fails, the others go on
#

for app in alpha beta gamma; do
        fleet_app "$app" "web=$one"
        app_settings "$app"
        fleet_release "$app" 1 "web=$one"
done
printf '    command: ["/bin/there-is-none"]\n' >>"$FLEET/checkout/apps/alpha/compose.yaml"
app_settings shop
sed -i '/restart: always/d' "$FLEET/checkout/apps/shop/compose.yaml"
fleet_release shop 5 "api=$two" "db=$one" "web=$one"
fleet_commit 'three more, the first of which cannot start'
expect 5 tally sync --timeout 120s
same 'failed converged converged converged' "$(status_get '[.apps[].state] | join(" ")')" 'states of alpha, beta, gamma and shop'
same '' "$(where alpha)" 'what is left of alpha'
instance_of beta web >/dev/null
instance_of gamma web >/dev/null
same "$two" "$(instances shop api | cut -f7)" 'the image of shop/api'
proved 'the first app that fails stops no other: those behind it are deployed in the same pass'

#
# The same name in two apps
#

app_settings beta 'prune: true'
app_settings gamma 'prune: true'
mkdir -p "$FLEET/checkout/apps/beta"
printf '  worker: {image: %s, stop_grace_period: 1s}\n' "$one" | tee -a "$FLEET/checkout/apps/beta/compose.yaml" >>"$FLEET/checkout/apps/gamma/compose.yaml"
rm -rf "$FLEET/checkout/apps/alpha" "$FLEET/checkout/environments/prod/alpha.yaml"
fleet_release beta 2 "web=$one" "worker=$one"
fleet_release gamma 2 "web=$one" "worker=$one"
fleet_commit 'a worker in both'
expect 0 tally sync --timeout 120s
theirs=$(instances gamma | cut -f1 | sort | paste -sd,)
sed -i '/^  worker:/d' "$FLEET/checkout/apps/beta/compose.yaml"
fleet_release beta 3 "web=$one"
fleet_commit 'beta without its worker'
expect 0 tally sync --timeout 120s
same 'web running' "$(where beta)" 'what beta runs'
same "$theirs" "$(instances gamma | cut -f1 | sort | paste -sd,)" 'containers of gamma'
rm -rf "$FLEET/checkout/environments/prod/beta.yaml"
fleet_commit 'no beta'
expect 0 tally sync --timeout 120s
same '' "$(where beta)" 'what is left of beta'
same "$theirs" "$(instances gamma | awk '$5 == "running" { print $1 }' | sort | paste -sd,)" 'containers of gamma'
proved 'two apps with services of the same names: pruning in one, and the end of one, touch nothing of the other'

#
# Files
#

fleet_app files "web=$one" "api=$one"
echo first >"$FLEET/checkout/apps/files/web.conf"
mkdir -p "$FLEET/checkout/apps/files/pages"
echo page >"$FLEET/checkout/apps/files/pages/a"
sed -i '/^  web:/,/^  api:/s,^    stop_grace_period.*,&\n    volumes: ["./web.conf:/etc/web.conf:ro"\, "./pages:/pages:ro"],' "$FLEET/checkout/apps/files/compose.yaml"
app_settings files
fleet_release files 1 "web=$one" "api=$one"
fleet_commit 'files'
expect 0 tally sync --timeout 120s
web=$(instance_of files web)
for image in "$two" "$one" "$two"; do
        fleet_release files "$image" "web=$one" "api=$image"
        fleet_commit 'another api'
        expect 0 tally sync --timeout 120s
done
same "$web" "$(instance_of files web)" 'the container whose service did not change'
engine_api POST "/containers/$web/restart?t=1"
expect 0 tally sync --timeout 120s
same 'first page' "$(inside "$web" /etc/web.conf) $(inside "$web" /pages/a)" 'what it reads after a restart'
proved 'files that are mounted do not vanish when the rest is deployed anew: what runs on has them, also after a restart'

old=$(inspect "$web" '.Mounts[] | select(.Destination == "/etc/web.conf") | .Source')
echo second >"$FLEET/checkout/apps/files/web.conf"
fleet_commit 'the file alone'
expect 0 tally sync --timeout 120s
[ "$web" != "$(instance_of files web)" ] || fail 'the container is the same'
same second "$(inside "$(instance_of files web)" /etc/web.conf)" 'what the new one reads'
[ "$old" != "$(inspect "$(instance_of files web)" '.Mounts[] | select(.Destination == "/etc/web.conf") | .Source')" ] || fail 'the file is the same inode'
proved 'a single mounted file that changed never keeps the old inode: the new instance has a new file'

#
# Dependencies
#

fleet_app chain "db=$one" "web=$one"
sed -i '/^  web:/,$s/^    stop_grace_period.*/&\n    depends_on: [db]/' "$FLEET/checkout/apps/chain/compose.yaml"
sed -i '0,/^    stop_grace_period.*/s//&\n    command: ["httpd", "-f", "-p", "8080", "-h", "\/www"]\n    init: true/' "$FLEET/checkout/apps/chain/compose.yaml"
app_settings chain
fleet_release chain 1 "db=$one" "web=$one"
fleet_commit 'a chain'
expect 0 tally sync --timeout 120s
web=$(instance_of chain web)
# in_web COMMAND…: what it prints in the container of web
in_web() {
        local id
        id=$(printf '%s\n' "$@" | jq -Rnc '{AttachStdout: true, Tty: true, Cmd: [inputs]}' |
                engine_api POST "/containers/$web/exec" -H 'Content-Type: application/json' -d @- | jq -r .Id)
        engine_api POST "/exec/$id/start" -H 'Content-Type: application/json' -d '{"Tty": true}' --output - | tr -d '\r'
}
# asks TEXT: db answers so to web, which knows its name. A static busybox crashes when it is to resolve one for itself.
asks() {
        local address i text=
        for ((i = 0; i < 50; i++)); do
                address=$(in_web nslookup db | sed -n 's/^Address: //p' | tail -n 1)
                text=$(in_web sh -c "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${address:-127.0.0.1} 8080" | tail -n 1)
                [ "$text" != "$1" ] || return 0
                sleep 0.1
        done
        fail "db says '$text' at $address, not '$1'"
}
asks one
fleet_release chain 2 "db=$two" "web=$one"
fleet_commit 'another db'
expect 0 tally sync --timeout 120s
same "$web" "$(instance_of chain web)" 'the container of web, which did not change'
asks two
for n in 1 2 3; do
        rm -f "$FLEET/state/quiet.json"
        expect 0 tally pass
done
same "$web" "$(instance_of chain web)" 'the container of web'
proved 'a dependency that is made anew: what depends on it runs on, finds it by its name, and is not made anew for it'

#
# Between remove and create
#

db=$(instance_of chain db)
engine_api DELETE "/containers/$db?force=1"
code=0
for ((n = 0; n < 6; n++)); do
        "$TALLY" --config "$FLEET/etc/tally.yaml" pass >"$RIG/out" 2>&1 &
        RIG_PID=$!
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        kill -KILL "$RIG_PID" 2>/dev/null || :
        wait "$RIG_PID" 2>/dev/null || :
        RIG_PID=
done
expect 0 tally sync --timeout 120s
same 'db running,web running' "$(where chain)" 'what runs'
asks two
proved 'a container that is gone, and passes that are killed while they make it anew: it is there again, once'
