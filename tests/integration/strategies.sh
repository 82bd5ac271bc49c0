#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Strategies, roles and steps on a real engine: what runs beside what, and when.
#
#   strategies.sh TALLY [shares] [steps]; without any: both

set -euo pipefail

TALLY=$1
shift
[ $# -gt 0 ] || set -- shares steps
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

one=$(image_make shop/web one)
two=$(image_make shop/web two)
ill=$(image_make shop/web ill)
job=$(image_make shop/job job /bin/sh -c 'echo done')
job2=$(image_make shop/job job2 /bin/sh -c 'echo done again')
bad_job=$(image_make shop/job bad /bin/sh -c 'echo "what are you doing, $HOSTNAME?"; exit 4')

# Each check starts a process in a container, which costs the engine a fifth of a second of the processor: not more of them than are needed.
healthcheck='healthcheck: {test: ["CMD-SHELL", "test $$(cat /www/index.html) != ill"], interval: 1s, timeout: 20s, retries: 2}'

# app NAME REPLICAS [LINE…]: app.yaml with these lines, and a service web of so many instances
app() {
        local name=$1 replicas=$2
        shift 2
        mkdir -p "$FLEET/checkout/apps/$name"
        printf 'apiVersion: tallyman/v1\nkind: App\napp: %s\n' "$name" >"$FLEET/checkout/apps/$name/app.yaml"
        printf '%s\n' "$@" >>"$FLEET/checkout/apps/$name/app.yaml"
        printf 'services:\n  web:\n    image: %s\n    stop_grace_period: 1s\n    deploy: {replicas: %d}\n    %s\n' \
                "$one" "$replicas" "$healthcheck" >"$FLEET/checkout/apps/$name/compose.yaml"
}

# watch APP FILE OLD: one line for each look at what runs, until the file is gone: new and old instances of web that run. Without a jq, which
# would be most of what this test costs.
watch() {
        while [ -e "$2" ]; do
                engine_api GET /containers/json -G --data-urlencode "filters={\"label\":[\"tallyman.app=$1\",\"tallyman.service=web\"],\"status\":[\"running\"]}" 2>/dev/null |
                        sed 's/"tallyman.image":"/\n&/g' | awk -F'"' -v old="$3" '$2 == "tallyman.image" { if ($4 == old) o++; else n++ }
                        END { print n + 0, o + 0 }' >>"$2.seen" || :
                sleep 0.1
        done
}

# Nothing here waits for a deadline; on a busy machine there is time.
times='min_healthy_time: 300ms, healthy_deadline: 60s, progress_deadline: 90s'

# rolled CODE APP OLD COMMAND…: run it while watching; the looks are in $RIG/watch.seen
rolled() {
        local code=$1 app=$2 old=$3 pid
        shift 3
        rm -f "$RIG/watch.seen"
        touch "$RIG/watch"
        watch "$app" "$RIG/watch" "$old" &
        pid=$!
        expect "$code" "$@"
        rm -f "$RIG/watch"
        wait "$pid"
}

# fewest, most: instances that ran at any look
fewest() { awk '{ print $1 + $2 }' "$RIG/watch.seen" | sort -n | head -1; }
most() { awk '{ print $1 + $2 }' "$RIG/watch.seen" | sort -n | tail -1; }

#
# Rolling
#

part_shares() {
        app shop 3 "rollout: {strategy: rolling, max_parallel: 1, $times}"
        fleet_release shop 1 "web=$one"
        fleet_commit 'shop 1'
        expect 0 tally sync --timeout 120s
        same 3 "$(instances shop web | grep -c running)" 'instances of the first release'

        fleet_release shop 2 "web=$two"
        fleet_commit 'shop 2'
        rolled 0 shop "$one" tally sync --timeout 120s
        same 3 "$(instances shop web | wc -l)" 'instances after the update'
        same "$two" "$(instances shop web | cut -f7 | sort -u)" 'their image'
        [ "$(fewest)" -ge 3 ] || fail "fewer than three ran: $(paste -sd, "$RIG/watch.seen")"
        [ "$(most)" -le 4 ] || fail "more than one at a time: $(paste -sd, "$RIG/watch.seen")"
        proved "rolling: one at a time, new before old, never fewer than three of three"

        fleet_release shop 3 "web=$ill"
        fleet_commit 'shop 3'
        records_mark
        rolled 5 shop "$two" tally sync --timeout 120s
        same "$two" "$(instances shop web | cut -f7 | sort -u)" 'the image that serves'
        same 3 "$(instances shop web | grep -c running)" 'instances that serve'
        [ "$(awk '{ print $2 }' "$RIG/watch.seen" | sort -n | head -1)" -ge 3 ] || fail 'an old instance was stopped'
        [[ " $(record_kinds) " == *' rollback '* ]] || fail "no rollback record: $(record_kinds)"
        proved 'rolling: a release whose first instance is ill stops no old one, and leaves nothing'

        #
        # Canary
        #

        app shop 4 "rollout: {strategy: canary, steps: [{weight: 25, hold: 1s}, {weight: 50, hold: 1s}], $times}"
        fleet_release shop 4 "web=$two"
        fleet_commit 'shop 4: more'
        expect 0 tally sync --timeout 120s
        fleet_release shop 5 "web=$one"
        fleet_commit 'shop 5'
        rolled 0 shop "$two" tally sync --timeout 120s
        same "$one" "$(instances shop web | cut -f7 | sort -u)" 'the image after the canary'
        seen=$(sort -u "$RIG/watch.seen" | paste -sd,)
        [[ ,$seen, == *,1\ 3,* && ,$seen, == *,2\ 2,* ]] || fail "not one and three, then two and two: $seen"
        [ "$(fewest)" -ge 4 ] || fail "fewer than four: $seen"
        proved 'canary without a router: the old ones make room in proportion'

        fleet_release shop 6 "web=$ill"
        fleet_commit 'shop 6'
        rolled 5 shop "$one" tally sync --timeout 120s
        same "$one" "$(instances shop web | cut -f7 | sort -u)" 'the image that serves'
        same 4 "$(instances shop web | grep -c running)" 'instances that serve'
        proved 'canary: an ill one is taken back'

        #
        # Blue-green
        #

        app shop 2 "rollout: {strategy: blue-green, bake: 1s, $times}"
        fleet_release shop 7 "web=$one"
        fleet_commit 'shop 7'
        expect 0 tally sync --timeout 120s
        fleet_release shop 8 "web=$two"
        fleet_commit 'shop 8'
        rolled 0 shop "$one" tally sync --timeout 120s
        [[ ,$(sort -u "$RIG/watch.seen" | paste -sd,), == *,2\ 2,* ]] || fail "not two beside two: $(sort -u "$RIG/watch.seen" | paste -sd,)"
        same "$two" "$(instances shop web | cut -f7 | sort -u)" 'the image after the switch'
        proved 'blue-green: both sets run, then only the new one'
}

#
# Roles: migration and init
#

part_steps() {
        app shop 2 "rollout: {strategy: rolling, $times}" 'roles: {migrate: migration, seed: init}'
        cat >>"$FLEET/checkout/apps/shop/compose.yaml" <<END
  migrate: {image: $job}
  seed: {image: $job}
END
        fleet_release shop 9 "web=$two" "migrate=$job" "seed=$job2"
        fleet_commit 'shop 9'
        expect 0 tally sync --timeout 120s
        migrated=$(instances shop migrate | cut -f1) seeded=$(instances shop seed | cut -f1)
        same 0 "$(inspect "$migrated" .State.ExitCode)" 'exit code of the migration'
        [[ $(inspect "$migrated" .State.FinishedAt) < $(inspect "$seeded" .State.StartedAt) ]] || fail 'the init service did not wait for the migration'
        proved 'migration, then init, then the rest'

        engine_api DELETE "/containers/$migrated" >/dev/null
        rm -f "$FLEET/state/quiet.json"
        expect 0 tally pass
        same '' "$(instances shop migrate)" 'migrations run again'
        proved 'a migration that ran is not missed, and not run again'

        before=$(instances shop web | cut -f1 | paste -sd,)
        fleet_release shop 10 "web=$one" "migrate=$bad_job" "seed=$job2"
        fleet_commit 'shop 10'
        expect 5 tally sync --timeout 120s
        same "$before" "$(instances shop web | cut -f1 | paste -sd,)" 'instances of web'
        same '' "$(instances shop migrate)" 'what is left of the migration'
        status_is '.apps[0].failure.code' ROLLOUT_EXITED
        expect 0 tally explain shop
        expect_text 'what are you doing'
        proved 'a migration that fails touches nothing else, and what it said can be read'

        #
        # Steps: hooks, commands, graph
        #

        cat >"$RIG/command" <<'END'
#!/bin/sh
cat >"$(dirname "$0")/said-$TALLY_STEP.json"
echo "about to $TALLY_STEP" >&2
[ ! -e "$(dirname "$0")/refuse-$TALLY_STEP" ]
END
        chmod +x "$RIG/command"
        printf 'commands: {backup: [%s], chat: [%s, --loud]}\n' "$RIG/command" "$RIG/command" >>"$FLEET/etc/tally.yaml"
        app shop 2 "rollout: {strategy: rolling, $times}" 'roles: {smoke: hook}' 'steps:' \
                '  - {name: get, prepare: true}' \
                '  - {name: tell, notify: chat, needs: []}' \
                '  - {name: backup, hook: {command: backup}, needs: [get]}' \
                '  - {name: half, stage: 50}' \
                '  - {name: smoke, hook: {service: smoke}, timeout: 10s}' \
                '  - {name: all, stage: 100}'
        printf '  smoke: {image: %s}\n' "$job" >>"$FLEET/checkout/apps/shop/compose.yaml"
        fleet_release shop 11 "web=$one" "smoke=$job"
        fleet_commit 'shop 11'
        expect 3 tally diff --graph
        [[ $OUT == *'digraph "shop"'* && $OUT == *'"get" -> "backup"'* && $OUT == *'"smoke" -> "all"'* && $OUT != *'-> "tell"'* ]] || fail 'the graph'
        expect 0 tally sync --timeout 120s
        same "$one" "$(instances shop web | cut -f7 | sort -u)" 'the image after the steps'
        same '' "$(instances shop smoke)" 'what is left of the hook'
        same 'shop 11 tell' "$(jq -r '"\(.app) \(.version) \(.step)"' "$RIG/said-tell.json")" 'what the command was told'
        jq -e '.running_version == "9"' "$RIG/said-backup.json" >/dev/null || fail 'what the backup was told'
        records 'select(.record.recordType == "result" and .record.execution.plan) | .record.execution.plan | map("\(.step)=\(.state)") | join(" ")' | tail -1 >"$RIG/plan"
        same 'get=succeeded tell=succeeded backup=succeeded half=succeeded smoke=succeeded all=succeeded' "$(cat "$RIG/plan")" 'the plan in the record'
        proved 'steps: a command, a notification and a hook run where the plan says, and the record tells'

        touch "$RIG/refuse-backup"
        before=$(instances shop web | cut -f1 | paste -sd,)
        fleet_release shop 12 "web=$two" "smoke=$job"
        fleet_commit 'shop 12'
        expect 5 tally sync --timeout 120s
        same "$before" "$(instances shop web | cut -f1 | paste -sd,)" 'instances after the backup failed'
        status_is '.apps[0].failure.code' HOOK_FAILED
        expect 0 tally explain shop
        expect_text 'about to backup'
        proved 'a hook that fails ends the rollout before anything is touched, and says why'

        rm -f "$RIG/refuse-backup"
        touch "$RIG/refuse-tell"
        sed -i 's/timeout: 10s}/timeout: 10s, retries: 1}/' "$FLEET/checkout/apps/shop/app.yaml"
        fleet_release shop 13 "web=$two" "smoke=$bad_job"
        fleet_commit 'shop 13'
        expect 5 tally sync --timeout 120s
        same "$one" "$(instances shop web | cut -f7 | sort -u)" 'the image that serves'
        same 2 "$(instances shop web | grep -c running)" 'instances that serve'
        same '' "$(instances shop smoke)" 'what is left of the hook'
        same 2 "$(tally --json explain shop | jq '[.output[] | select(.service == "smoke") | .text] | unique | length')" 'tries of the hook that were heard'
        proved 'a hook that fails between two stages takes the first one back; a notification that fails does not matter'

        fleet_release shop 14 "web=$two" "smoke=$job"
        fleet_commit 'shop 14'
        sed -i '/^commands:/d' "$FLEET/etc/tally.yaml"
        expect 5 tally sync --timeout 120s
        status_is '.apps[0].failure.code' HOOK_FAILED
        expect 0 tally explain shop
        expect_text "allows no command 'backup'"
        proved 'a command that the host does not allow is not run'

        #
        # What cannot run twice
        #

        app shop 1 "rollout: {strategy: blue-green, $times}"
        sed -i 's/    stop_grace_period/    container_name: the-shop\n    stop_grace_period/' "$FLEET/checkout/apps/shop/compose.yaml"
        fleet_release shop 15 "web=$two"
        fleet_commit 'shop 15'
        expect 5 tally sync --timeout 120s
        status_is '.apps[0].failure.code' ROLLOUT_EXCLUSIVE
        same "$one" "$(instances shop web | cut -f7 | sort -u)" 'the image that serves'
        app shop 1 "rollout: {strategy: rolling, $times}"
        sed -i 's/    stop_grace_period/    container_name: the-shop\n    stop_grace_period/' "$FLEET/checkout/apps/shop/compose.yaml"
        fleet_release shop 16 "web=$two"
        fleet_commit 'shop 16'
        expect 0 tally sync --timeout 120s
        same /the-shop "$(inspect "$(instance_of shop web)" .Name)" 'its name'
        proved 'what cannot run twice: blue-green refuses before anything is touched, rolling stops first'
}

for part; do
        "part_$part"
done

head=$(ledger_git rev-parse tally/web1)
for i in 1 2 3 4 5; do
        rm -f "$FLEET/state/quiet.json"
        expect 0 tally pass
done
same "$head" "$(ledger_git rev-parse tally/web1)" 'head of the ledger'
expect 0 tally doctor
proved 'and then nothing is left to do'
