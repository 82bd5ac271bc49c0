#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What may happen to this host: two passes at once, the clock, kill -9, the disk. Nothing is lost, and a pass says what
# is wrong.
#
#   state.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig
separate_ledger
release 1
converges 1 'the first release'

#
# Two at once
#

# start_pass: in the background, as RIG_PID; it holds the lock when this returns
start_pass() {
        local i
        rm -f "$FLEET/state/lock"
        tally pass >"$RIG/first" 2>&1 &
        RIG_PID=$!
        for ((i = 0; i < 500; i++)); do
                [ ! -s "$FLEET/state/lock" ] || return 0
                sleep 0.01
        done
        fail 'the pass does not start'
}
end_pass() {
        local code=0
        wait "$RIG_PID" || code=$?
        RIG_PID=
        same "$1" "$code" "the first pass, which said: $(cat "$RIG/first"); its exit code"
}

fake_set '.slow = 700'
release 25
start_pass
expect 1 tally pass
expect_text 'another pass is running'
end_pass 0
same 25 "$(running)" 'what runs'
proved 'a second pass gives way and names the one that runs'
fake_set '.slow = 0'

#
# The clock
#

if command -v faketime >/dev/null; then
        had=$(count_records clock-event)
        expect 0 env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f -2h "$TALLY" --config "$FLEET/etc/tally.yaml" pass
        same $((had + 1)) "$(count_records clock-event)" 'records of the clock'
        same CLOCK_BACKWARDS "$(last_record clock-event .error.code)" 'the record of the clock'
        expect 0 tally pass
        ledger_is_whole 'after the clock went back'
        proved 'a clock that was set back is in the ledger, and changes nothing'
else
        echo 'ok - a clock that was set back # SKIP faketime is missing'
fi

#
# Killed
#

fake_set '.slow = 10'
release 30
began=${EPOCHREALTIME/./}
expect 0 tally pass
took=$((${EPOCHREALTIME/./} - began))
version=30
for ((n = 0; n < 40; n++)); do
        if [ $((n % 4)) = 0 ]; then
                version=$((version + 1))
                release "$version"
        fi
        "$TALLY" --config "$FLEET/etc/tally.yaml" --quiet pass >"$RIG/killed" 2>&1 &
        RIG_PID=$!
        at=$((took * (RANDOM % 100) / 100))
        sleep "$((at / 1000000)).$(printf %06d $((at % 1000000)))"
        kill -KILL "$RIG_PID" 2>/dev/null || :
        wait "$RIG_PID" 2>/dev/null || :
        RIG_PID=
done
fake_set '.slow = 0'
# A push that was cut off may have left its branch locked.
for n in 1 2 3 4 5 6; do
        code=0
        OUT=$(tally pass 2>&1) || code=$?
        [ "$code" != 0 ] || break
        sleep 1
done
same 0 "$code" 'the exit code after the kills'
same "$version" "$(running)" 'what runs'
same 1 "$(fake '.instances | length')" 'the number of instances'
proved '40 passes killed anywhere end in what is declared'
ledger_is_whole 'after the kills'
records '.record | select(.recordType == "intent") | .seq' | sort -n >"$RIG/intents"
records '.record | select(.recordType == "result") | .execution.intentSeq // empty' | sort -n >"$RIG/closed"
cmp -s "$RIG/intents" "$RIG/closed" || { OUT=$(diff "$RIG/intents" "$RIG/closed"); fail 'not every intent is closed once'; }
proved "the ledger is whole, and each of its $(wc -l <"$RIG/intents") intents is closed once"
# The fake's own file is the host here, and was cut off with it.
left=$(find "$FLEET/state" -maxdepth 2 -path "$FLEET/state/fake" -prune -o \( -name '.tmp*' -o -name '*.corrupt' \) -print)
[ -z "$left" ] || fail "left behind: $left"
proved 'nothing is left behind'

#
# The disk
#

mv "$FLEET/state" "$FLEET/state.before"
mkdir -m 700 "$FLEET/state"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=24m,mode=700 tally "$FLEET/state" 2>/dev/null; then
        RIG_MOUNT=$FLEET/state
        cp -a "$FLEET/state.before/." "$FLEET/state/"

        # fill [KIB]: the disk, but for so much
        fill() {
                head -c 64m /dev/zero >"$FLEET/state/filler" 2>/dev/null || :
                truncate -s -"${1:-0}K" "$FLEET/state/filler"
        }

        release 100
        before=$(what_runs)
        ledger=$(ledger_git rev-parse "tally/web1")
        fill
        expect 1 tally pass
        expect_text 'is full'
        rm "$FLEET/state/filler"
        same "$before" "$(what_runs)" 'what runs'
        same "$ledger" "$(ledger_git rev-parse "tally/web1")" 'the ledger'
        proved 'a full disk is said, and nothing is touched'
        converges 100 'it goes on when there is room'

        version=100
        for room in 4 8 12 16 24 32 48 64 96; do
                version=$((version + 1))
                release "$version"
                fill "$room"
                code=0
                OUT=$(tally pass 2>&1) || code=$?
                case $code in
                0 | 1 | 5) ;;
                *) fail "with $room KiB a pass ended with $code" ;;
                esac
                rm "$FLEET/state/filler"
                tally pass >/dev/null 2>&1 || :
                [ "$(running)" != "" ] || fail "with $room KiB nothing runs any more"
        done
        release 200
        converges 200 'a disk that gets full in the middle of a pass stops nothing for good'
        ledger_is_whole 'after the disk was full'
        proved 'and the ledger is whole'

        release 201
        mount -o remount,ro "$FLEET/state"
        expect 1 tally pass
        expect_text 'read-only'
        same 200 "$(running)" 'what runs'
        proved 'a state that is read-only is said, and nothing is touched'
        mount -o remount,rw "$FLEET/state"
        converges 201 'it goes on when the state can be written'
        ledger_is_whole 'after the state was read-only'
else
        echo 'ok - a full disk and a read-only state # SKIP only root can mount'
fi
