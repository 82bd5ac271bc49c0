#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# How other tools went round in circles, or stood still unseen (docs/stories.md), on the fake runtime: deployments at every poll,
# updates that pile up, polling that is off, passes that are killed, clocks.
#
#   stories-loops.sh TALLY TALLYD [killed] [quiet] [polling] [updates] [clock]; without any: all

set -euo pipefail

TALLY=$1 TALLYD=$2
shift 2
[ $# -gt 0 ] || set -- killed quiet polling updates clock
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig
fake_set ".now = $(date +%s)000"
release 1
converges 1 'the first release'
# effects: of the fake runtime that a trace holds
effects='[.trace[] | select(test("^(prepare|create|start|stop|remove|collect) "))] | length'

#
# A pass that is killed at every call
#

part_killed() {
        # killed_at CALL NTH AFTER VERSION: merged, a pass dies there, and whatever runs then is old or new, not neither
        killed_at() {
                local code=0 before=$(($4 - 1))
                fake_set ".trace = [] | .exit = [{\"call\": \"$1\", \"nth\": ((.counts[\"$1\"] // 0) + $2), \"after\": $3, \"code\": 137}]"
                release "$4"
                OUT=$(tally pass 2>&1) || code=$?
                fake_set 'del(.exit)'
                [ "$code" != 0 ] || return 1
                same 137 "$code" "how the pass ended that was to die at $1 $2"
                case $(fake '[.instances[].version] | unique | join(" ")') in
                *"$before"* | *"$4"*) ;;
                *) fail "neither old nor new is there: $(what_runs)" ;;
                esac
        }

        version=1 points=0
        for call in observe prepare create start stop remove collect; do
                for after in false true; do
                        for ((nth = 1; nth <= 12; nth++)); do
                                version=$((version + 1))
                                killed_at "$call" "$nth" "$after" "$version" || break
                                points=$((points + 1))
                                expect 0 tally pass
                                same "$version running" "$(fake '.instances | map("\(.version) \(.state)") | join(", ")')" \
                                        "all instances after a pass died at $call $nth (after: $after)"
                        done
                done
        done
        [ "$points" -ge 14 ] || fail "only $points points"
        proved "containers never vanish between remove and create: passes that died at $points points, each call before and after its effect, left old or new, and the next pass the new one alone"
}

#
# Nothing to do is nothing done
#

part_quiet() {
        fake_set '.trace = []'
        head=$(ledger_git rev-parse tally/web1)
        runs=$(what_runs)
        # All that a pass goes on from, but for the times in it.
        state() {
                (cd "$FLEET/state" && find . -type f ! -path './fake/*' ! -name '*.lock' ! -name lock ! -name quiet.json | sort |
                        while read -r file; do echo "$file $(sed -E 's/"[a-z_]+": ("20[0-9T:.Z-]+"|[0-9]{13})//' "$file" | sha256sum)"; done)
        }
        for ((i = 0; i < 100; i++)); do
                rm -f "$FLEET/state/quiet.json"
                tally --quiet pass >"$RIG/said" 2>&1 || { OUT=$(cat "$RIG/said"); fail "pass $i ended with $?"; }
                [ "$i" != 1 ] || state >"$RIG/state.early"
        done
        state >"$RIG/state.late"
        cmp -s "$RIG/state.early" "$RIG/state.late" || { OUT=$(diff "$RIG/state.early" "$RIG/state.late"); fail 'the state is another one than after the second of them'; }
        same 0 "$(fake "$effects")" 'what 100 passes did'
        same "$runs" "$(what_runs)" 'what runs'
        same "$head" "$(ledger_git rev-parse tally/web1)" 'head of the ledger'
        proved 'a hundred whole passes at a host that is as declared: no action, no record, no commit, and the state that the second one found'

        # The fake engine's clock stands still unless it is set: what it starts now was not started before the rollout.
        fake_set ".now = $(($(date +%s) + 60))000"
        fake_set '.start["shop/web@5000"] = {"exit_code": 1}'
        release 5000
        expect 5 tally sync --timeout 20s
        head=$(ledger_git rev-parse tally/web1)
        fake_set '.trace = []'
        for ((i = 0; i < 100; i++)); do
                rm -f "$FLEET/state/quiet.json"
                expect 5 tally --quiet pass
        done
        same 0 "$(fake "$effects")" 'what 100 passes did about a release that failed'
        same "$head" "$(ledger_git rev-parse tally/web1)" 'head of the ledger'
        proved 'a release that failed is not tried again by the next poll, nor by a hundred, and nothing new is said'
        fake_set 'del(.start)'

        # Neither the new nor the old release runs for longer than a moment, and an engine whose clock stands still says so of both.
        fake_set ".start[\"shop/web\"] = {\"exit_code\": 1} | .start[\"shop/web@5000\"] = {\"exit_code\": 1} | .trace = [] | .now = $(($(date +%s) + 60))000"
        release 5000.1
        code=0
        OUT=$(timeout 60 "$TALLY" --config "$FLEET/etc/tally.yaml" pass 2>&1) || code=$?
        [ "$code" = 3 ] || [ "$code" = 5 ] || fail "the pass ended with $code"
        starts=$(fake '[.trace[] | select(startswith("start "))] | length')
        [ "$starts" -le 20 ] || fail "one pass started things $starts times"
        fake_set "del(.start) | .now = $(date +%s)000"
        settles=0
        OUT=$(tally sync --timeout 60s 2>&1) || settles=$?
        same 5 "$settles" 'the exit code when the old release runs again'
        proved 'actions that have no effect are not repeated at full speed: a pass slows down, and ends'
}

#
# Polling that is off
#

part_polling() {
        release 5001
        converges 5001 'the release after it'
        # answered: when the repository last did, as status says it
        answered() { tally --json status | jq -r '.desired.fetched'; }
        # later: a second that no answer before it has in its time
        later() {
                sleep 1.1
                date -u +%Y-%m-%dT%H:%M:%S
        }
        before=$(answered)
        later >/dev/null
        same "$before" "$(answered)" 'without a pass the repository answered'
        expect 0 tally status
        expect_text 'the repository answered '
        now=$(later)
        expect 0 tally pass
        [[ $(answered) > $now ]] || fail "after a quiet pass the repository answered at $(answered), before $now"
        before=$(answered)
        mv "$FLEET/fleet.git" "$FLEET/away.git"
        later >/dev/null
        expect 1 tally pass
        same "$before" "$(answered)" 'without the repository it answered'
        status_is '.desired.stale != null' true
        mv "$FLEET/away.git" "$FLEET/fleet.git"
        now=$(later)
        expect 0 tally pass
        [[ $(answered) > $now ]] || fail "with the repository it answered at $(answered), before $now"
        proved 'polling that stopped is seen: status says when the repository last answered, whether passes stopped or the repository is away'
}

#
# Updates that come faster than they are deployed
#

part_updates() {
        local commits=() commit
        echo 'poll: 1s' >>"$FLEET/etc/tally.yaml"
        fake_set '.slow = 250 | .trace = []'
        # Made before, so that they come as fast on a busy machine.
        for version in 6001 6002 6003 6004 6005 6006; do
                fake_release "$version"
                work add -A
                as alice commit -q -m "release $version"
                commits+=("$(work rev-parse HEAD)")
        done
        "$TALLYD" --config "$FLEET/etc/tally.yaml" --tally "$TALLY" --run-dir "$RIG/run" >"$RIG/tallyd" 2>&1 &
        RIG_PID=$!
        for commit in "${commits[@]}"; do
                work push -q origin "$commit:refs/heads/main"
                sleep 0.4
        done
        for ((i = 0; i < 600; i++)); do
                [ "$(jq -r '.apps[0].running.version' "$FLEET/state/status.json")" != 6006 ] || break
                sleep 0.1
        done
        same 6006 "$(running)" 'what runs'
        made=$(fake '[.trace[] | select(startswith("create ")) | split(" ") | last] | join(" ")')
        kill "$RIG_PID"
        wait "$RIG_PID" || :
        RIG_PID=
        ! grep -q 'another pass is running' "$RIG/tallyd" || { OUT=$(cat "$RIG/tallyd"); fail 'two passes at a time'; }
        [ "$(wc -w <<<"$made")" -lt 6 ] || fail "every one of them was deployed: $made"
        [[ $made == *6006 ]] || fail "the last one made is not the last one merged: $made"
        fake_set '.slow = 0'
        proved 'updates that come faster than they are deployed do not pile up: one pass at a time, and the newest wins'
}

#
# The clock, while a canary holds
#

part_clock() {
        if command -v faketime >/dev/null; then
                printf 'apiVersion: tallyman/v1\nkind: App\napp: shop\nruntime: fake\nrollout: {strategy: rolling, min_healthy_time: 0s, progress_deadline: 5m, healthy_deadline: 5m}\nsteps: [{name: get, prepare: true}, {name: half, stage: {weight: 50, beside: true}}, {name: hold, check: 100s, timeout: 5m}, {name: all, stage: 100}]\n' \
                        >"$FLEET/checkout/apps/shop/app.yaml"
                # at OFFSET CODE PHASE: a pass whose clock is so many seconds off
                at() {
                        rm -f "$FLEET/state/quiet.json"
                        expect "$2" env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f "$1s" "$TALLY" --config "$FLEET/etc/tally.yaml" pass
                        status_is '.apps[0].phase' "$3" "the phase with a clock that is $1 s off"
                        status_is '.apps[0].poisoned | length' "$poisoned"
                }
                serving=$(running)
                poisoned=$(status_get '.apps[0].poisoned | length')
                release 7000
                at +0 3 evaluating
                at -7200 3 evaluating
                at -7100 3 evaluating
                at +0 3 evaluating
                at +86400 3 evaluating
                same "$serving 7000" "$(fake '[.instances[] | select(.state == "running") | .version] | sort | join(" ")')" 'who serves'
                at +86430 3 evaluating
                # From here on the clock goes on as it should, if in leaps of half a minute.
                for ((later = 86460; later < 86900; later += 30)); do
                        rm -f "$FLEET/state/quiet.json"
                        code=0
                        OUT=$(FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f "+${later}s" "$TALLY" --config "$FLEET/etc/tally.yaml" pass 2>&1) || code=$?
                        [ "$code" = 3 ] || break
                done
                same '0 settled' "$code $(status_get '.apps[0].phase')" 'exit code and phase when it held long enough'
                same 7000 "$(running)" 'what runs'
                proved 'a clock that goes back two hours and forward a day neither promotes a canary nor takes it back: what must hold is watched anew, and no deadline has passed'
        else
                echo 'ok - a clock that goes back and forward # SKIP faketime is missing'
        fi
}

for part; do
        "part_$part"
done
