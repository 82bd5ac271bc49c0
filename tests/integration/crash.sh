#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 at any moment of a rollout: the next pass goes on from there.
#
#   crash.sh TALLY [ROUNDS [FROM TO]]      only the rounds FROM to TO of so many: the moments to kill at are spread over all of them

set -euo pipefail

TALLY=$1
rounds=${2:-20} from=${3:-1} to=${4:-${2:-20}}
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

one=$(image_make shop/web one)
two=$(image_make shop/web two)
crashes=$(image_make shop/web crashes /bin/sh -c 'exit 3')

fleet_app shop "web=$one" "api=$one"
app_settings shop 'rollout: {min_healthy_time: 500ms, healthy_deadline: 60s, progress_deadline: 60s}'
# Not the image that the first good round brings.
first=$one
(((from / 2) % 2 == 0)) || first=$two
fleet_release shop 0 "web=$first" "api=$first"
fleet_commit 'shop 0'
# A whole pass, timed: what the moments to kill at are drawn from.
started=$(date +%s%N)
expect 0 tally pass
span=$((($(date +%s%N) - started) / 1000000))

# killed MS: a pass that is killed that long after its start
killed() {
        local pid
        "$TALLY" --config "$FLEET/etc/tally.yaml" pass >"$RIG/out" 2>&1 &
        pid=$!
        RIG_PID=$pid
        sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
        kill -KILL "$pid" 2>/dev/null || return 0
        wait "$pid" 2>/dev/null || :
        RIG_PID=
}

good=0 cut=0 bad=0
for ((round = from; round <= to; round++)); do
        case $((round % 4)) in
        1) image=$two code=0 ;;
        3) image=$one code=0 ;;
        *) image=$crashes code=5 ;;
        esac
        fleet_release shop "$round" "web=$image" "api=$image"
        fleet_commit "shop $round"
        # Spread over the whole of it, with something of chance.
        killed $(((round * span) / rounds + RANDOM % (span / rounds + 1)))
        [ "$(wc -c <"$RIG/out")" -eq 0 ] || cut=$((cut + 1))
        [ $((round % 3)) != 0 ] || killed $((RANDOM % (span / 2)))

        expect "$code" tally sync --timeout 120s
        if [ "$code" = 0 ]; then
                good=$round
        else
                bad=$((bad + 1))
                status_is '.apps[0] | .desired.release as $r | [.poisoned[] | select(. == $r)] | length' 1 'the poison of the bad release'
        fi
        status_is '.apps[0].phase' settled
        status_is '.apps[0].running.version' "$good"
        running=$(status_get '.apps[0].running.release')
        same "shop api 1 running shop web 1 running" "$(instances | awk '{ print $2, $3, $4, $5 }' | paste -sd' ')" "containers after round $round"
        same "$running" "$(instances | cut -f6 | sort -u)" "the release of the containers after round $round"
done
proved "$((to - from + 1)) passes killed at as many moments of $span ms (while $cut of them had begun to talk): one release each time, no container left over"

status_is '.apps[0].poisoned | length' "$bad"
head=$(ledger_git rev-parse tally/web1)
for ((i = 0; i < 3; i++)); do
        rm -f "$FLEET/state/quiet.json"
        expect "$code" tally pass
done
same "$head" "$(ledger_git rev-parse tally/web1)" 'head of the ledger'
proved 'no poison was lost, and nothing is left to do'

expect 0 tally doctor
expect 0 tally history
[[ $OUT != *'DOES NOT VERIFY'* ]] || fail 'a record does not verify'
previous=
for file in $(ledger_git ls-tree -r --name-only tally/web1 evidence | sort); do
        ledger_git show "tally/web1:$file" >"$RIG/record"
        jq -r '.payload | @base64d | fromjson | .predicate.prev.sha256 // ""' "$RIG/record" >"$RIG/prev"
        [ -z "$previous" ] || same "$previous" "$(sed 's/^sha256://' "$RIG/prev")" "what $file follows"
        previous=$(sha256sum <"$RIG/record" | cut -d' ' -f1)
done
same "$(ledger_git ls-tree -r --name-only tally/web1 evidence | wc -l)" \
        "$(ledger_git ls-tree -r --name-only tally/web1 evidence | sed 's,.*/\([0-9]*\)-.*,\1,' | sort -u | wc -l)" 'sequence numbers'
same "$head" "$(git -C "$FLEET/fleet.git" rev-parse tally/web1)" 'the pushed ledger'
proved 'the chain of records is whole, here and at the remote'

records 'select(.record.recordType == "intent") | .file' | sed 's,.*/0*\([0-9][0-9]*\)-.*,\1,' | sort >"$RIG/intents"
records 'select(.record.recordType == "result") | .record.execution.intentSeq // empty' | sort >"$RIG/closed"
same '' "$(comm -3 "$RIG/intents" "$RIG/closed")" 'intents that are open, or closed twice'
[ "$(records 'select(.record.outcome == "interrupted") | .file' | wc -l)" -gt 0 ] || fail 'no pass was interrupted between intent and result'
proved 'every intent is closed, once: as interrupted where the pass was killed'
