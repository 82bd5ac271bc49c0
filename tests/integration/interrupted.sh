#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Engines and registries that are slow, silent, full, or cut off in the middle: what serves goes on serving, nothing is
# held against a release that has no fault, and it is deployed when all is well again.
#
#   interrupted.sh TALLY [answers] [engine] [registry]; without any: all

set -euo pipefail

TALLY=$1
shift
[ $# -gt 0 ] || set -- answers engine registry
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

# The engine asks for a layer once; five times take it a minute and a half.
rig_make '"max-download-attempts": 1'

# proxy ENGINE_SOCKET: everything goes through it from here on; its mode is in $mode
mode=$RIG/mode
proxy() {
        echo pass >"$mode"
        rm -f "$RIG/proxy.sock"
        python3 "$here/lib/engine_proxy.py" "$RIG/proxy.sock" "$1" "$mode" 2>>"$RIG/proxy.log" &
        RIG_PID="${RIG_PID:-} $!"
        disown "$!"
        for ((i = 0; i < 200; i++)); do
                [ ! -S "$RIG/proxy.sock" ] || return 0
                sleep 0.05
        done
        fail 'the proxy does not start'
}

version=0
# release IMAGE: the next version, merged
release() {
        version=$((version + 1))
        fleet_release shop "$version" "web=$1"
        fleet_commit "shop $version"
}

a=$(image_make shop/web a)
b=$(image_make shop/web b)
other() {
        [ $((version % 2)) = 0 ] && echo "$a" || echo "$b"
}

# never_two WHAT: old and new do not run side by side; between stop and start, it may be none until the next pass
never_two() {
        [ "$(instances shop web | awk '$5 == "running"' | wc -l)" -le 1 ] || { instances >&2; fail "$1: two run"; }
}

# recovers WHAT: all is well again, and the release is deployed
recovers() {
        echo pass >"$mode"
        expect 0 tally sync --timeout 120s
        same "$version settled 0" "$(status_get '.apps[0] | "\(.running.version) \(.phase) \(.poisoned | length)"')" "$1"
        same 1 "$(instances | wc -l)" "$1: containers left"
}

mkdir -p "$FLEET/checkout/apps/shop"
printf 'services:\n  web:\n    image: %s\n    stop_signal: KILL\n' "$a" >"$FLEET/checkout/apps/shop/compose.yaml"
app_settings shop 'rollout: {min_healthy_time: 0s, healthy_deadline: 60s, progress_deadline: 60s}'
proxy "$ENGINE_SOCKET"
sed -i "s,$ENGINE_SOCKET,$RIG/proxy.sock," "$FLEET/etc/tally.yaml"
release "$a"
recovers 'the first release'

#
# An engine that is cut off in the middle of an answer
#

part_answers() {
        # interrupted MODE…: one pass of a release
        interrupted() {
                release "$(other)"
                echo "$*" >"$mode"
                code=0
                OUT=$(tally pass 2>&1) || code=$?
                case $code in
                0 | 1 | 3) ;;
                *) fail "$*: a pass ended with $code" ;;
                esac
                codes="$codes $code"
        }

        # An odd answer in its headers, an even one in its body; the next pass mends what that did, and is the next to be cut.
        codes=
        for n in 1 3 5 7 9 11 13 15 17 19 21 23 25 2 8 14 20; do
                interrupted answer "$n" $((n % 2 ? 40 : 250))
                never_two "answer $n"
                status_is '.apps[0].poisoned | length' 0 "poison after answer $n"
        done
        recovers 'answers that were cut off'
        [[ "$codes" == *1* ]] || fail "the exit codes were $codes"
        proved 'an engine whose answers are cut off, in the headers or behind them: no harm done'

        codes=
        for how in 'cut 9000' 'die 15000' 'cut 22000' 'die 30000'; do
                # shellcheck disable=SC2086
                interrupted $how
                recovers "$how"
        done
        proved 'an engine whose connections end after some kilobytes, for good or not: no harm done'
}

#
# An engine that answers wrongly, slowly, or not at all
#

part_engine() {
        for what in rubbish broken refuse; do
                release "$(other)"
                serving=$(instance_of shop web)
                echo $what >"$mode"
                expect 1 tally pass
                same "$serving" "$(instance_of shop web)" "$what: the container that serves"
                status_is .state degraded
                recovers $what
        done
        proved 'an engine that answers rubbish, broken JSON or 500 touches nothing'

        # Whether the container still has a file that was touched, only the engine can say.
        echo 'color = green' >"$FLEET/checkout/apps/shop/web.conf"
        echo '    volumes: ["./web.conf:/etc/web.conf:ro"]' >>"$FLEET/checkout/apps/shop/compose.yaml"
        release "$(other)"
        recovers 'a mounted file'
        serving=$(instance_of shop web)
        touch "$(inspect "$serving" '.Mounts[0].Source')"
        rm -f "$FLEET/state/quiet.json"
        # The first look is at how the container runs.
        echo blind 2 >"$mode"
        expect 1 tally pass
        grep -q 'refused a closer look' "$RIG/proxy.log" || fail 'nothing was refused'
        status_is '.apps[0].drift | length' 0
        same "$serving" "$(instance_of shop web)" 'the container that serves'
        recovers 'a closer look that was refused'
        same "$serving" "$(instance_of shop web)" 'the container that serves'
        sed -i '/volumes:/d' "$FLEET/checkout/apps/shop/compose.yaml"
        proved 'an engine that does not say which file a container has mounted: that is no drift'

        #
        # An engine that is slow, or says nothing at all
        #

        release "$(other)"
        echo slow 50 >"$mode"
        expect 0 tally pass
        recovers 'slow'
        proved 'an engine that is slow is waited for'

        #
        # An engine that has not noticed yet that a container crashed
        #

        echo '    restart: always' >>"$FLEET/checkout/apps/shop/compose.yaml"
        release "$(other)"
        recovers 'a restart policy'
        release "$(other)"
        echo ending 3 >"$mode"
        expect 0 tally pass
        same 3 "$(grep -c 'refused an update' "$RIG/proxy.log")" 'updates that were refused'
        recovers 'a container that ends'
        sed -i '/restart: always/d' "$FLEET/checkout/apps/shop/compose.yaml"
        proved 'a container that the engine takes for running when it has just crashed is stopped all the same'

        release "$(other)"
        serving=$(instance_of shop web)
        echo silent >"$mode"
        # Without a shell function between: RIG_PASS is the program itself.
        "$TALLY" --config "$FLEET/etc/tally.yaml" pass >"$RIG/silent" 2>&1 &
        RIG_PASS=$!
        RIG_PID="$RIG_PID $RIG_PASS"
        sleep 2
        began=$SECONDS
        kill -INT "$RIG_PASS"
        sleep 1
        kill -0 "$RIG_PASS" 2>/dev/null || fail "it does not end its action first: $(cat "$RIG/silent")"
        kill -INT "$RIG_PASS"
        code=0
        wait "$RIG_PASS" || code=$?
        same 130 "$code" 'how it ended'
        RIG_PID=${RIG_PID% *}
        [ $((SECONDS - began)) -lt 15 ] || fail "it ended after $((SECONDS - began)) s"
        same "$serving" "$(instance_of shop web)" 'the container that serves'
        recovers 'silence'
        proved 'a pass that waits for an engine that says nothing ends at the second Ctrl-C; nothing is touched'
}

#
# A registry that is cut off, or slow
#

part_registry() {
        layers=$RIG/layers
        echo pass >"$layers"
        python3 "$here/lib/registry_liar.py" "$REGISTRY" "$layers" >"$RIG/liar.port" 2>"$RIG/liar.log" &
        RIG_PID="$RIG_PID $!"
        disown "$!"
        for ((i = 0; i < 200; i++)); do
                [ ! -s "$RIG/liar.port" ] || break
                sleep 0.05
        done

        # through TEXT: an image that the engine does not have, to be pulled from the registry between
        through() {
                local made
                made=$(image_make shop/web "$1")
                echo "127.0.0.1:$(cat "$RIG/liar.port")/${made#*/}"
        }

        for what in cut stall; do
                image=$(through "$what")
                release "$image"
                serving=$(instance_of shop web)
                echo $what >"$layers"
                code=0
                OUT=$(tally sync --timeout 4s 2>&1) || code=$?
                [ "$code" = 3 ] || [ "$code" = 1 ] || fail "$what: a sync ended with $code"
                same "$serving" "$(instance_of shop web)" "$what: the container that serves"
                status_is '.apps[0].poisoned | length' 0 "$what: poison"
                echo pass >"$layers"
                recovers "$what"
                proved "a registry whose layers $what in the middle holds the release, and no more than that"
        done

        release "$(through trickle)"
        echo trickle >"$layers"
        expect 0 tally pass
        recovers 'trickle'
        proved 'a registry that is slow is waited for'
        echo pass >"$layers"

        #
        # The disk of the engine
        #

        if mkdir -p "$RIG/engine-small/data" && mount -t tmpfs -o size=64m tally "$RIG/engine-small/data" 2>/dev/null; then
                was=$ENGINE_SOCKET
                engine_start "$RIG/engine-small" '"max-download-attempts": 1'
                proxy "$ENGINE_SOCKET"
                release "$(other)"
                recovers 'another engine'
                head -c 128m /dev/zero >"$RIG/engine-small/data/filler" 2>/dev/null || :
                serving=$(instance_of shop web)
                release "$(image_make shop/web full)"
                code=0
                OUT=$(tally sync --timeout 4s 2>&1) || code=$?
                [ "$code" = 3 ] || [ "$code" = 1 ] || fail "a sync ended with $code"
                expect_text 'no space left'
                same "$serving" "$(instance_of shop web)" 'the container that serves'
                status_is '.apps[0].poisoned | length' 0
                rm "$RIG/engine-small/data/filler"
                recovers 'a full disk'
                proved 'an engine whose disk is full says so, and the release is deployed when there is room'
                ENGINE_SOCKET=$was
        else
                echo 'ok - an engine whose disk is full # SKIP only root can mount'
        fi
}

for part; do
        "part_$part"
done
expect 0 tally doctor
proved 'the ledger is whole after all that'
