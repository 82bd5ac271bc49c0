#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tallyd with a scripted worker, on real signals, timers and a notify socket.
#
#   tallyd.sh TALLYD FAKE_WORKER NOTIFY_SINK [sanitized]
#
# TALLY_TEST_IDLE_S: for how long its idle wake-ups are counted (default 5).

set -euo pipefail

tallyd=$1 fake=$2 sink=$3 sanitized=${4:-}
idle_s=${TALLY_TEST_IDLE_S:-5}
dir=$(mktemp -d)
daemon= sink_pid=
slack=700 # milliseconds that starting and ending a worker may take, seven other tests beside it
[ -z "$sanitized" ] || slack=900
# The marks of another service manager are not ours.
unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID RUNTIME_DIRECTORY TALLY_CONFIG JOURNAL_STREAM

cleanup() {
        local pid
        for pid in $daemon $sink_pid; do
                kill -KILL "$pid" 2>/dev/null || :
        done
        rm -rf "$dir"
}
trap cleanup EXIT

fail() {
        echo "FAIL: $case_name: $*" >&2
        for f in stderr log notify; do
                echo "--- $f" >&2
                [ ! -f "$dir/$f" ] || tail -n 30 "$dir/$f" >&2
        done
        exit 1
}

now() {
        echo $(($(date +%s%N) / 1000000))
}

# wait_for SECONDS WHAT COMMAND…
wait_for() {
        local end=$(($(now) + $1 * 1000)) what=$2
        shift 2
        until "$@"; do
                [ "$(now)" -lt $end ] || fail "waited in vain for $what"
                sleep 0.02
        done
}

# script LINE… what the worker does from its next start on; replaced in one step
script() {
        { echo "log $dir/log"; printf '%s\n' "$@"; } >"$dir/script.new"
        mv "$dir/script.new" "$dir/script"
}

starts() {
        [ ! -f "$dir/log" ] && echo 0 && return
        grep -c '^start ' "$dir/log" || :
}
has_starts() { [ "$(starts)" -ge "$1" ]; }
has_line() { grep -q -- "$2" "$dir/$1" 2>/dev/null; }
is_gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }
worker_pid() { awk '$1 == "start" { p = $3 } END { print p }' "$dir/log"; }

# Milliseconds between two starts, one a line.
intervals() {
        awk '$1 == "start" { if (n++) print $2 - last; last = $2 }' "$dir/log"
}

# stop_daemon: it ends with 0
stop_daemon() {
        local status=0
        kill -TERM "$daemon"
        wait "$daemon" || status=$?
        daemon=
        [ $status -eq 0 ] || fail "tallyd ended with $status on SIGTERM"
}

start_case() {
        case_name=$1
        echo "· $case_name"
}

# ——— the notify socket ———

case_name=setup
restart_sink() {
        if [ -n "$sink_pid" ]; then
                kill "$sink_pid"
                wait "$sink_pid" 2>/dev/null || :
        fi
        rm -f "$dir/socket" "$dir/notify"
        "$sink" "$dir/socket" "$dir/notify" &
        sink_pid=$!
        wait_for 5 "the notify socket" test -S "$dir/socket"
}
# run [OPTION…]: a fresh tallyd, and fresh files of what it says; the sink keeps its file open, so it is started anew
run() {
        restart_sink
        rm -f "$dir/log" "$dir/stderr"
        NOTIFY_SOCKET=$dir/socket "$tallyd" --config "$dir/script" --tally "$fake" --run-dir "$dir/run" "$@" \
                2>"$dir/stderr" &
        daemon=$!
}

start_case "a pass at once, then polls, spread by a tenth"
script "say poll_ms=500" "say status=all is well"
run
wait_for 10 "nine passes" has_starts 9
intervals | head -8 | awk -v slack=$slack '
        { if ($1 < 445 || $1 > 550 + slack) bad = bad " " $1; if (NR == 1 || $1 < min) min = $1; if ($1 > max) max = $1 }
        END { if (bad) { print "out of range:" bad; exit 1 } if (min == max) { print "never spread"; exit 1 } }' ||
        fail "intervals: $(intervals | tr '\n' ' ')"
wait_for 5 READY has_line notify 'READY=1'
wait_for 5 STATUS has_line notify 'STATUS=all is well'
! has_line log '^inherited' || fail "the worker got what is not its own"
stop_daemon
wait_for 5 STOPPING has_line notify 'STOPPING=1'

start_case "a wish comes before the poll"
script "say poll_ms=60000" "say next_ms=300"
run
wait_for 5 "four passes" has_starts 4
intervals | awk -v slack=$slack '$1 < 300 || $1 > 310 + slack { exit 1 }' || fail "intervals: $(intervals | tr '\n' ' ')"
stop_daemon

start_case "SIGHUP runs a pass; several during one run one more"
script "say poll_ms=60000"
run
wait_for 5 "the first pass" has_line notify 'STATUS=Waiting'
kill -HUP "$daemon"
wait_for 2 "the second pass" has_starts 2
sleep 0.2
script "say poll_ms=60000" "sleep 700"
kill -HUP "$daemon"
wait_for 2 "the third pass" has_starts 3
for _ in 1 2 3 4 5; do kill -HUP "$daemon"; sleep 0.05; done
wait_for 3 "the fourth pass" has_starts 4
sleep 1.2
[ "$(starts)" -eq 4 ] || fail "$(starts) passes instead of 4"

start_case "idle: no wake-up, little memory"
for n in 5 6 7; do
        script "say poll_ms=60000" "say status=pass $n"
        kill -HUP "$daemon"
        wait_for 3 "pass $n" has_line notify "STATUS=pass $n"
done
sleep 0.5
switches() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$daemon/status"; }
before=$(switches)
sleep "$idle_s"
after=$(switches)
[ "$before" = "$after" ] || fail "$((after - before)) wake-ups in $idle_s s of waiting"
echo "  no wake-up in $idle_s s"
private=$(awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum }' "/proc/$daemon/smaps_rollup")
dirty=$(awk '/^Private_Dirty:/ { print $2 }' "/proc/$daemon/smaps_rollup")
echo "  private memory: $private KiB of 1024 allowed ($dirty dirty), $((private * 100 / 1024)) %"
[ -n "$sanitized" ] || [ "$private" -le 1024 ] || fail "more than 1 MiB of private memory"

start_case "a second tallyd with the same run folder is refused"
status=0
"$tallyd" --config "$dir/script" --tally "$fake" --run-dir "$dir/run" 2>"$dir/second" || status=$?
[ $status -eq 1 ] || fail "it ended with $status"
grep -q "process $daemon" "$dir/second" || fail "the message does not name the holder: $(cat "$dir/second")"
[ "$(cat "$dir/run/tallyd.lock" | tr -d '\n ')" = "$daemon" ] || fail "the lock file does not hold our id"
stop_daemon

start_case "a worker over its limit is ended"
script "say poll_ms=400" "say limit_ms=300" "sleep 60000"
run
wait_for 5 "the first pass" has_starts 1
first=$(worker_pid)
wait_for 3 "its end" is_gone "$first"
wait_for 3 "the message" has_line stderr 'over its limit of 300 ms'
wait_for 3 "the next pass" has_starts 2
stop_daemon

start_case "--limit caps what the worker says"
script "say limit_ms=60000" "sleep 60000"
run --limit 300ms
wait_for 5 "the first pass" has_starts 1
wait_for 3 "the message" has_line stderr 'over its limit of 300 ms'
stop_daemon

start_case "a worker that ignores SIGTERM is killed, and what it left behind"
script "say limit_ms=200" "ignore-term" "orphan $dir/orphan" "sleep 60000"
run
wait_for 5 "the orphan" test -s "$dir/orphan"
orphan=$(cat "$dir/orphan")
first=$(worker_pid)
wait_for 9 "the kill" has_line stderr 'is killed'
wait_for 2 "its end" is_gone "$first"
wait_for 2 "the orphan's end" is_gone "$orphan"
stop_daemon

start_case "crashes back off, doubling; a pass that ends well forgets them"
script "say poll_ms=200" "crash"
run
wait_for 15 "six passes" has_starts 6
intervals | awk -v slack=$slack '
        { want = 200 * 2 ^ (NR - 1); if ($1 < 0.88 * want || $1 > 1.12 * want + slack) exit 1 }' ||
        fail "intervals: $(intervals | tr '\n' ' ')"
script "say poll_ms=200"
kill -HUP "$daemon"
n=$(starts)
wait_for 5 "polls" has_starts $((n + 4))
intervals | tail -2 | awk '$1 > 1300 { exit 1 }' || fail "still backing off: $(intervals | tr '\n' ' ')"

start_case "exit 1 backs off from the second time on; exit 4 does not"
script "say poll_ms=200" "exit 1"
n=$(starts)
wait_for 15 "four failures" has_starts $((n + 5))
intervals | tail -1 | awk '$1 < 0.88 * 1600 { exit 1 }' || fail "no back-off: $(intervals | tr '\n' ' ')"
has_line stderr 'the pass failed (exit code 1, 2 in a row)' || fail "failures are not counted"
script "say poll_ms=200" "exit 4"
kill -HUP "$daemon"
n=$(starts)
wait_for 5 "polls" has_starts $((n + 4))
intervals | tail -2 | awk '$1 > 1300 { exit 1 }' || fail "backing off: $(intervals | tr '\n' ' ')"
stop_daemon

start_case "a worker that is not there is tried again"
run --tally "$dir/nothing"
wait_for 5 "the message" has_line stderr 'cannot run'
wait_for 5 "READY" has_line notify 'READY=1'
wait_for 5 "the status" has_line notify 'did not come to its end'
stop_daemon

start_case "what a worker says wrongly is refused, and it goes on"
script "say poll_ms=200" "say status=before" "say poll_ms=-1" "say status=after"
run
wait_for 5 "three passes" has_starts 3
has_line stderr 'is not a number' || fail "no message"
has_line notify 'STATUS=before' || fail "what was said before is lost"
! has_line notify 'STATUS=after' || fail "what was said after counts"
stop_daemon

start_case "SIGTERM lets a running worker end"
script "say poll_ms=60000" "sleep 1000" "say status=done with it"
run
wait_for 5 "the first pass" has_starts 1
stop_daemon
wait_for 2 "its last word" has_line log 'say status=done with it'

start_case "a second SIGTERM does not wait"
script "say poll_ms=60000" "sleep 60000"
run
wait_for 5 "the first pass" has_starts 1
begin=$(now)
kill -TERM "$daemon"
sleep 0.3
stop_daemon
[ $(($(now) - begin)) -lt 3000 ] || fail "it waited $(($(now) - begin)) ms"

start_case "SIGTERM ends a worker that takes too long"
run
wait_for 5 "the first pass" has_starts 1
begin=$(now)
stop_daemon
took=$(($(now) - begin))
[ $took -ge 9500 ] && [ $took -lt 12500 ] || fail "after $took ms instead of 10 s"
wait_for 2 "its end" is_gone "$(worker_pid)"

start_case "a killed tallyd leaves no worker"
run
wait_for 5 "the first pass" has_starts 1
first=$(worker_pid)
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null || :
wait_for 2 "the worker's end" is_gone "$first"
daemon=

start_case "the watchdog is fed"
script "say poll_ms=60000"
export WATCHDOG_USEC=1000000
run
unset WATCHDOG_USEC
sleep 3.2
pings=$(grep -c 'WATCHDOG=1' "$dir/notify" || :)
[ "$pings" -ge 3 ] || fail "$pings pings in 3 s, one a second is due"
stop_daemon
! has_line log '^inherited' || fail "the worker got what is not its own"

start_case "usage"
status=0
"$tallyd" --limit soon 2>"$dir/stderr" || status=$?
[ $status -eq 2 ] || fail "a bad option ends with $status"
"$tallyd" --help | grep -- '--run-dir' >/dev/null || fail "--help"
"$tallyd" --version | grep '^tallyd [0-9]' >/dev/null || fail "--version"

echo "ok"
