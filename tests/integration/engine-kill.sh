#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of the engine itself, at moments of a rollout by each strategy: when it is back, so is one release, whole.
#
#   engine-kill.sh TALLY [ROUNDS [STRATEGY…]]       ROUNDS: moments for each strategy, good and ill releases in turn

set -euo pipefail

TALLY=$1
rounds=${2:-1}
all=(recreate rolling stop-first canary blue-green steps)
wanted=" ${*:3} "
[ $# -gt 2 ] || wanted=" ${all[*]} "
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

images=("$(image_make shop/web one)" "$(image_make shop/web two)")
ill=$(image_make shop/web ill)
job=$(image_make shop/job job /bin/sh -c 'echo done')

times='min_healthy_time: 500ms, healthy_deadline: 60s, progress_deadline: 90s'
routed='traffic: {router: memory, service: web, port: 80, listen: "127.0.0.1:8000"}'
declare -A strategies=(
        [recreate]="rollout: {strategy: recreate, $times}"
        [rolling]="rollout: {strategy: rolling, max_parallel: 1, $times}"
        [stop-first]="rollout: {strategy: rolling, order: stop-first, $times}"
        [canary]="rollout: {strategy: canary, steps: [{weight: 50, hold: 100ms}], $times}"$'\n'"$routed"
        [blue-green]="rollout: {strategy: blue-green, bake: 100ms, $times}"$'\n'"$routed"
        [steps]="rollout: {strategy: rolling, $times}"$'\nroles: {smoke: hook}\nsteps:\n  - {name: get, prepare: true}\n  - {name: half, stage: 50}\n  - {name: smoke, hook: {service: smoke}}\n  - {name: all, stage: 100}'
)

# app STRATEGY: the app of that name: two of web, and what its steps need
app() {
        local name=$1
        mkdir -p "$FLEET/checkout/apps/$name"
        printf 'apiVersion: tallyman/v1\nkind: App\napp: %s\nprune: true\n%s\n' "$name" "${strategies[$name]}" >"$FLEET/checkout/apps/$name/app.yaml"
        cat >"$FLEET/checkout/apps/$name/compose.yaml" <<END
services:
  web:
    image: ${images[0]}
    restart: unless-stopped
    stop_grace_period: 1s
    deploy: {replicas: 2}
    healthcheck: {test: ["CMD-SHELL", "test \$\$(cat /www/index.html) != ill"], interval: 1s, timeout: 20s, retries: 2}
END
        [ "$name" != steps ] || printf '  smoke: {image: "%s"}\n' "$job" >>"$FLEET/checkout/apps/$name/compose.yaml"
}

# release STRATEGY VERSION IMAGE
release() {
        local pins=("web=$3")
        [ "$1" != steps ] || pins+=("smoke=$job")
        fleet_release "$1" "$2" "${pins[@]}"
        fleet_commit "$1 $2"
}

engine_back() {
        engine_restart "$RIG/engine" 2>"$RIG/engine.said" || engine_restart "$RIG/engine" ||
                fail 'the engine does not come back'
}

# pass_cut MS: a pass; the engine is killed that long after its start
pass_cut() {
        local code=0
        "$TALLY" --config "$FLEET/etc/tally.yaml" pass >"$RIG/out" 2>&1 &
        RIG_PID=$!
        sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
        engine_kill "$RIG/engine" alone
        wait "$RIG_PID" || code=$?
        RIG_PID=
        OUT=$(cat "$RIG/out")
        case $code in
        0 | 1 | 3 | 5) ;;
        *) fail "the pass whose engine was killed ended with $code" ;;
        esac
}

# whole APP VERSION: that release is in service, and nothing beside it
whole() {
        local wanted
        status_is ".apps[] | select(.app == \"$1\") | .running.version" "$2"
        status_is ".apps[] | select(.app == \"$1\") | .phase" settled
        wanted=$(status_get ".apps[] | select(.app == \"$1\") | .running.release")
        same "running $wanted running $wanted" "$(instances "$1" web | awk '{ print $5, $6 }' | paste -sd' ')" "containers of $1"
        same 2 "$(instances "$1" web | cut -f4 | sort -u | wc -l)" "indexes of $1"
}

# An environment has something in it.
fake_app idle
fake_release 1 idle
number=0
for name in "${all[@]}"; do
        # In turn whether it is run or not: a strategy has the same releases, alone and among the others.
        [[ $wanted == *" $name "* ]] || { number=$((number + rounds)); continue; }
        app "$name"
        release "$name" 0 "${images[0]}"
        started=$(date +%s%N)
        expect 0 tally sync --timeout 120s
        span=$((($(date +%s%N) - started) / 1000000))
        good=0 last=0
        for ((round = 1; round <= rounds; round++)); do
                number=$((number + 1))
                if [ $((number % 2)) = 1 ]; then
                        last=$((1 - last)) good=$round code=0
                        release "$name" "$round" "${images[$last]}"
                else
                        code=5
                        release "$name" "$round" "$ill"
                fi
                moment=$((RANDOM % span))
                pass_cut "$moment"
                engine_back
                expect "$code" tally sync --timeout 120s
                whole "$name" "$good"
                status_is ".apps[] | select(.app == \"$name\") | .desired.release as \$r | [.poisoned[] | select(. == \$r)] | length" $((code / 5)) \
                        "whether release $round, cut after $moment ms, is poisoned"
                proved "$name: the engine is killed $moment ms after the start of a pass ($((code == 0)) good): one release, and only an ill one is poisoned"
        done
        rm "$FLEET/checkout/environments/prod/$name.yaml"
        fleet_commit "no $name"
        expect 0 tally sync --timeout 120s
        same '' "$(instances)" "what is left of $name"
done

expect 0 tally doctor
records 'select(.record.recordType == "intent") | .file' | sed 's,.*/0*\([0-9][0-9]*\)-.*,\1,' | sort >"$RIG/intents"
records 'select(.record.recordType == "result") | .record.execution.intentSeq // empty' | sort >"$RIG/closed"
same '' "$(comm -3 "$RIG/intents" "$RIG/closed")" 'intents that are open, or closed twice'
proved 'every intent is closed, once'
