#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# No request is lost while releases come and go: a load through a real router, on a real engine. Then hands at the router.
#
#   flow.sh TALLY ROUTER WEB-APP HTTP-LOAD [rolling] [canary] [blue_green] [hands] [away] [end]; without any: all
#
# Each part stands for itself; the suite runs them side by side.

set -euo pipefail

TALLY=$1 router=$2 web_app=$3 http_load=$4
shift 4
parts=("$@")
if [ $# -eq 0 ]; then
        parts=(rolling canary blue_green hands away end)
fi
here=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

"$here/lib/router.sh" "$router" available || { echo "missing: $router"; exit 77; }
# Caddy replaces its listener at each change; only with this setting of the kernel does a connection that waits to be accepted outlive that
# (`tally doctor` says so). It belongs to a network namespace, so ours is one of its own.
if [ "$router" = caddy ] && [ -z "${FLOW_NAMESPACE:-}" ]; then
        unshare -n true 2>/dev/null && command -v ip >/dev/null || { echo "missing: a network namespace of our own"; exit 77; }
        FLOW_NAMESPACE=yes exec unshare -n sh -c 'ip link set lo up && echo 1 >/proc/sys/net/ipv4/tcp_migrate_req && exec "$0" "$@"' \
                "$0" "$TALLY" "$router" "$web_app" "$http_load" "${parts[@]}"
fi
rig_make
load_pid=
flow_end() {
        local code=$? pid
        rm -f "$RIG/share"
        for pid in $(jobs -p); do
                kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || :
        done
        "$here/lib/router.sh" "$router" stop "$RIG/router" || :
        (exit "$code") || rig_end
        rig_end
}
trap flow_end EXIT

listen=$(free_port) admin=$(free_port) operator=$(free_port)

# at_router VERB
at_router() { LISTEN_PORT=$listen ADMIN_PORT=$admin OPERATOR_PORT=$operator "$here/lib/router.sh" "$router" "$1" "$RIG/router" >"$RIG/router.said" 2>&1; }
at_router start || fail "the router does not start: $(cat "$RIG/router.said")"
commands="test: [\"$here/lib/router.sh\", $router, test, \"$RIG/router\"], reload: [\"$here/lib/router.sh\", $router, reload, \"$RIG/router\"]"
case $router in
nginx) echo "routers: {nginx: {folder: $RIG/router/tally.d, admin: \"http://127.0.0.1:$admin\", $commands}}" ;;
haproxy) echo "routers: {haproxy: {folder: $RIG/router/tally.d, socket: $RIG/router/haproxy.sock, $commands}}" ;;
caddy) echo "routers: {caddy: {admin: \"unix://$RIG/router/caddy.sock\"}}" ;;
esac >>"$FLEET/etc/tally.yaml"

export IMAGE_EXTRA=$RIG/extra
mkdir -p "$IMAGE_EXTRA/bin"
cp "$web_app" "$IMAGE_EXTRA/bin/web-app"
one=$(image_make shop/web one /bin/web-app one)
two=$(image_make shop/web two /bin/web-app two)
ill=$(image_make shop/web ill /bin/web-app ill ill)
dies=$(image_make shop/web dies /bin/web-app dies dies)

# app REPLICAS ROLLOUT [LINE…]
app() {
        local replicas=$1 rollout=$2
        shift 2
        mkdir -p "$FLEET/checkout/apps/shop"
        {
                printf 'apiVersion: tallyman/v1\nkind: App\napp: shop\nrollout: {%s, min_healthy_time: 1s, healthy_deadline: 60s, progress_deadline: 90s}\n' "$rollout"
                [ $# -eq 0 ] || printf '%s\n' "$@"
        } >"$FLEET/checkout/apps/shop/app.yaml"
        cat >"$FLEET/checkout/apps/shop/compose.yaml" <<END
services:
  web:
    image: $one
    ports: ["127.0.0.1::8080"]
    stop_grace_period: 10s
    deploy: {replicas: $replicas}
    healthcheck: {test: ["CMD", "/bin/web-app", "probe"], interval: 2s, timeout: 10s, retries: 2}
END
}
traffic="traffic: {router: $router, service: web, port: 8080, listen: \"127.0.0.1:$listen\", drain: 1s}"

version=0
# merge IMAGE: the next release of it
merge() {
        version=$((version + 1))
        fleet_release shop "$version" "web=$1"
        fleet_commit "shop $version"
}

#
# Load
#

# load_start PORT [gets]
load_start() {
        local i
        rm -f "$RIG/load.log"
        "$http_load" "$1" 300 100000 8 "$RIG/load.log" ${2+"$2"} >"$RIG/load" 2>&1 &
        load_pid=$!
        for ((i = 0; i < 500; i++)); do
                [ ! -s "$RIG/load.log" ] || return 0
                sleep 0.02
        done
        fail 'the load does not start'
}

load_stop() {
        kill "$load_pid"
        wait "$load_pid" || :
        load_pid=
}

# Requests and failures of the last load.
load_n() { awk -v what="$1" '$1 == "requests" { for (i = 1; i < NF; i++) if ($i == what) print $(i + 1) }' "$RIG/load"; }

# load_end WHAT: it is over, and nothing was lost
load_end() {
        load_stop
        [ "$(load_n requests)" -gt 50 ] || fail "$1: hardly any load: $(cat "$RIG/load")"
        [ "$(load_n failed)" = 0 ] || { OUT=$OUT$'\n'$(head -40 "$RIG/load"; at_router_log); fail "$1: requests were lost"; }
        proved "$1 ($(load_n requests) requests, 0 lost; $(awk '$1 == "release" { printf "%s%s %s", n++ ? ", " : "", $2, $3 }' "$RIG/load"))"
}
at_router_log() { tail -n 10 "$RIG"/router/*log 2>/dev/null || :; }

# rolls CODE IMAGE WHAT: a release of it, under load
rolls() {
        load_start "$listen"
        merge "$2"
        expect "$1" tally sync --timeout 180s
        sleep 0.5
        load_end "$3"
}

# runs IMAGE
runs() { same "$1" "$(instances shop web | cut -f7 | sort -u)" 'the image that runs'; }

# served_only RELEASE…: nothing else ever answered
served_only() {
        local allowed=" $* " release
        for release in $(awk '$1 == "release" { print $2 }' "$RIG/load"); do
                [[ $allowed = *" $release "* ]] || fail "release $release answered requests: $(cat "$RIG/load")"
        done
}

#
# Rolling
#

# dies_and_goes_on: the pass is killed, again and again
dies_and_goes_on() {
        local i pid
        for i in 1 2 3 4 5 6 7 8; do
                # Without a shell function between: the process is the program itself.
                "$TALLY" --config "$FLEET/etc/tally.yaml" pass >/dev/null 2>&1 &
                pid=$!
                sleep "0.$((RANDOM % 9 + 1))"
                kill -KILL "$pid" 2>/dev/null || :
                wait "$pid" 2>/dev/null || :
        done
        expect 0 tally sync --timeout 120s
}

part_rolling() {
        app 2 'strategy: rolling, max_parallel: 1' "$traffic"
        merge "$one"
        expect 0 tally sync --timeout 120s
        same one "$(curl -sS "http://127.0.0.1:$listen/")" 'the answer through the router'

        rolls 0 "$two" "$router: rolling"
        runs "$two"
        served_only one two
        rolls 5 "$ill" "$router: rolling to a release that is ill"
        runs "$two"
        served_only two
        rolls 5 "$dies" "$router: rolling to a release that crashes"
        runs "$two"
        served_only two

        load_start "$listen" gets
        container=$(instances shop web | awk 'NR == 1 { print $1 }')
        engine_api POST "/containers/$container/restart" >/dev/null
        sleep 1
        expect 5 tally pass # the release that failed is still declared
        sleep 0.5
        load_end "$router: a container that is restarted by hand"

        load_start "$listen"
        merge "$one"
        dies_and_goes_on
        sleep 0.5
        load_end "$router: a rolling update whose pass is killed eight times"
        runs "$one"
}

#
# Canary
#

# watch_share FILE: "ms percent" of the split that holds, while FILE is there: the router has it when the step that checks it waits
watch_share() {
        local at
        while [ -e "$1" ]; do
                at=${EPOCHREALTIME/[.,]/}
                echo "${at%???} $(jq -r '[.steps[]? | select(.state == "waiting") | .step.name | select(startswith("check-"))[6:]][0]' \
                        "$FLEET/state/rollouts/shop.json" 2>/dev/null)" >>"$1.seen"
                sleep 0.2
        done
}

# share PERCENT RELEASE: what part of the requests got RELEASE while the split was PERCENT: requests and those of RELEASE
share() {
        awk -v percent="$1" -v release="$2" '
                FNR == NR { if ($2 == percent) { if (!from) from = $1; to = $1 }; next }
                # What was split when it came, in the middle of the time.
                $1 - $2 > from + 1500 && $1 < to - 200 { n++; if ($4 == release) of++ }
                END { print n + 0, of + 0 }' "$RIG/share.seen" "$RIG/load.log"
}

# split_near PERCENT RELEASE: within five standard deviations, and two requests for a round-robin that begins anew
split_near() {
        local n of
        read -r n of <<<"$(share "$1" "$2")"
        awk -v n="$n" -v of="$of" -v p="$1" 'BEGIN { p /= 100; d = of - n * p; exit !(n > 30 && d * d <= (5 * sqrt(n * p * (1 - p)) + 2) ^ 2) }' ||
                fail "$of of $n requests went to $2, at $1 %"
        echo "# $1 %: $of of $n requests"
}

part_canary() {
        app 2 'strategy: canary, steps: [{weight: 10, hold: 4s}, {weight: 50, hold: 4s}]' "$traffic"
        merge "$one"
        expect 0 tally sync --timeout 120s

        rm -f "$RIG/share.seen"
        touch "$RIG/share"
        watch_share "$RIG/share" &
        watch_pid=$!
        rolls 0 "$two" "$router: canary"
        rm "$RIG/share"
        wait "$watch_pid"
        runs "$two"
        split_near 10 two
        split_near 50 two
        rolls 5 "$ill" "$router: canary of a release that is ill"
        runs "$two"
        served_only two
        rolls 5 "$dies" "$router: canary of a release that crashes"
        runs "$two"
        served_only two

        load_start "$listen"
        merge "$one"
        dies_and_goes_on
        sleep 0.5
        load_end "$router: a canary whose pass is killed eight times"
        runs "$one"
}

#
# Blue-green
#

part_blue_green() {
        app 2 'strategy: blue-green, bake: 1s' "$traffic"
        merge "$one"
        expect 0 tally sync --timeout 120s
        rolls 0 "$two" "$router: blue-green"
        runs "$two"
        # One move: after the first answer of the new release none of the old one but what was under way.
        awk '$4 == "two" && !first { first = $1 } $4 == "one" { last = $1 - $2 } END { exit !(last <= first + 500) }' "$RIG/load.log" ||
                fail 'old and new release answered side by side'
        rolls 5 "$ill" "$router: blue-green to a release that is ill"
        runs "$two"
        served_only two
        rolls 5 "$dies" "$router: blue-green to a release that crashes"
        runs "$two"
        served_only two
}

#
# Hands at the router
#

route_file() { ls "$RIG"/router/tally.d/tally_shop."$1"; }

told() { records "select(.record.recordType == \"drift\") | .record.drift[]?.code" | tail -n 1; }

# spoil: somebody changes what we made
spoil_file() {
        case $router in
        nginx) sed -i 's/proxy_connect_timeout 5s/proxy_connect_timeout 4s/' "$(route_file conf)" && at_router reload ;;
        haproxy) sed -i 's/^    balance .*/    balance leastconn/' "$(route_file cfg)" && at_router reload ;;
        caddy) curl -sS --unix-socket "$RIG/router/caddy.sock" -H 'Host;' -X PATCH -H 'Content-Type: application/json' -d "[\"127.0.0.1:$listen\"]" \
                http://x/config/apps/http/servers/tally_shop/listen && curl -sS --unix-socket "$RIG/router/caddy.sock" -H 'Host;' -X PUT \
                -H 'Content-Type: application/json' -d '"3s"' http://x/config/apps/http/servers/tally_shop/read_timeout ;;
        esac
        sleep 0.5
}

haproxy_say() {
        python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
sys.stdout.write(s.makefile().read())' "$RIG/router/haproxy.sock" "$1"
}

# What a pass finds is what runs, not what was remembered.
look_again() { rm -f "$FLEET/state/quiet.json"; }

repaired() {
        look_again
        expect 3 tally diff
        expect_text DRIFT_ROUTE
        look_again
        expect 0 tally pass
        same DRIFT_ROUTE "$(told)" "$1: the record"
        status_is .state converged
        status_is '[.apps[].drift[]] | length' 0
        same two "$(curl -sS "http://127.0.0.1:$listen/")" "$1: the answer"
        look_again
        expect 0 tally diff
        proved "$router: $1 is seen, named and put right"
}

part_hands() {
        app 2 'strategy: rolling' "$traffic"
        merge "$two"
        expect 0 tally sync --timeout 120s
        load_start "$listen"
        spoil_file
        repaired 'a configuration that somebody edited'
        if [ "$router" = haproxy ]; then
                server=$(haproxy_say "show servers state" | awk '$2 ~ /tally_shop/ && $5 != "-" && $6 == 2 { print $2 "/" $4; exit }')
                haproxy_say "set server $server state maint" >/dev/null
                repaired 'a server that somebody took out over the runtime API'
        fi
        load_end "$router: edits and their repair"

        app 2 'strategy: rolling' "$traffic" 'drift: report'
        merge "$two"
        expect 0 tally sync --timeout 120s
        spoil_file
        look_again
        tally pass >/dev/null 2>&1 || :
        same DRIFT_ROUTE "$(told)" 'the record when drift is only reported'
        status_is '.apps[0].drift[0].code' DRIFT_ROUTE
        look_again
        expect 3 tally diff
        expect_text DRIFT_ROUTE
        proved "$router: drift: report only tells"
}

#
# A router that is away
#

part_away() {
        app 2 'strategy: rolling' "$traffic"
        merge "$two"
        expect 0 tally sync --timeout 120s
        at_router stop
        merge "$one"
        expect_code=0
        OUT=$(tally sync --timeout 6s 2>&1) || expect_code=$?
        [ "$expect_code" != 0 ] && [ "$expect_code" != 5 ] || fail "a rollout without its router ended with $expect_code"
        same 2 "$(instances shop web | awk -v image="$two" '$7 == image && $5 == "running"' | wc -l)" 'old instances that run on while the router is away'
        status_is '.apps[0].state' progressing
        at_router start || fail "the router does not start: $(cat "$RIG/router.said")"
        load_start "$listen"
        expect 0 tally sync --timeout 120s
        runs "$one"
        load_end "$router: a router that was away held the rollout, and it goes on"

        # During a revert: the new release is in the route when its router goes, and then fails.
        app 2 'strategy: canary, steps: [{weight: 50, hold: 60s}]' "$traffic"
        merge "$two"
        "$TALLY" --config "$FLEET/etc/tally.yaml" sync --timeout 60s >/dev/null 2>&1 &
        sync_pid=$!
        for ((i = 0; i < 300; i++)); do
                [ "$(jq -r '[.steps[]? | select(.step.name == "check-50" and .state == "waiting")] | length' "$FLEET/state/rollouts/shop.json" 2>/dev/null)" = 1 ] && break
                sleep 0.1
        done
        [ "$i" -lt 300 ] || fail "the canary never held: $(jq -c . "$FLEET/state/rollouts/shop.json")"
        kill "$sync_pid" && wait "$sync_pid" || :
        at_router stop
        for container in $(instances shop web | awk -v image="$two" '$7 == image { print $1 }'); do
                engine_api POST "/containers/$container/kill" >/dev/null
        done
        # A pass would stay for its twenty seconds, and has nothing to see in them.
        for timeout in 4s 1s 1s 1s; do
                look_again
                expect_code=0
                OUT=$(tally sync --timeout "$timeout" 2>&1) || expect_code=$?
                [ "$expect_code" != 5 ] || fail 'it is claimed to be rolled back while the router leads to what is gone'
        done
        same reverting "$(jq -r .phase "$FLEET/state/rollouts/shop.json")" 'the phase while the router is away'
        at_router start || fail "the router does not start: $(cat "$RIG/router.said")"
        expect 5 tally sync --timeout 120s
        for i in 1 2 3 4 5 6 7 8 9 10; do
                same one "$(curl -sS "http://127.0.0.1:$listen/")" 'the answer after the revert'
        done
        proved "$router: a revert is over when the router has the old route, and not before"
}

#
# The end of a route
#

forgotten() {
        local code
        code=$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$listen/" 2>/dev/null) || :
        [ "$code" != 200 ] || fail "$1: the router still has it"
        case $router in
        nginx | haproxy) same '' "$(find "$RIG/router/tally.d" -name 'tally_shop*')" "$1: files" ;;
        caddy) ! curl -sS --unix-socket "$RIG/router/caddy.sock" -H 'Host;' http://x/config/ | grep tally_shop >/dev/null || fail "$1: Caddy's configuration" ;;
        esac
        same null "$(jq -c .router "$FLEET/state/rollouts/shop.json" 2>/dev/null || echo null)" "$1: the router that is remembered"
}

part_end() {
        app 2 'strategy: rolling' "$traffic"
        merge "$one"
        expect 0 tally sync --timeout 120s
        app 2 'strategy: rolling'
        merge "$one"
        expect 0 tally sync --timeout 120s
        same 2 "$(instances shop web | grep -c running)" 'instances without a router'
        forgotten 'an app that lost its traffic'
        proved "$router: an app without traffic is forgotten"

        app 2 'strategy: rolling' "$traffic" 'prune: true'
        merge "$one"
        expect 0 tally sync --timeout 120s
        same one "$(curl -sS "http://127.0.0.1:$listen/")" 'the answer with a router again'
        # An environment has something in it.
        fake_app idle
        fake_release 1 idle
        rm "$FLEET/checkout/environments/prod/shop.yaml"
        fleet_commit 'shop is gone'
        at_router stop
        look_again
        SECONDS=0
        OUT=$(tally sync --timeout 3s 2>&1) || :
        [ "$SECONDS" -lt 43 ] || fail "a pass of three seconds took $SECONDS s over a router that is away"
        at_router start || fail "the router does not start: $(cat "$RIG/router.said")"
        look_again
        expect 0 tally sync --timeout 120s
        forgotten 'an app that is not declared any more'
        same 0 "$(instances shop | wc -l)" 'its instances'
        proved "$router: an app that is pruned is forgotten"
}

for part in "${parts[@]}"; do
        "part_$part"
done
