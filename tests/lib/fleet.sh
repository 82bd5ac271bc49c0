# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A signed fleet in a folder, for tests: keys, a bare repository, a work tree, a host's configuration.
#
#   fleet_make DIR HOST       keys alice (trusted) and mallory (not), DIR/fleet.git, DIR/checkout, DIR/etc/tally.yaml; enrols HOST
#   fleet_commit MESSAGE [KEY]    commit everything in DIR/checkout, signed by KEY (default alice; "" is unsigned), and push
#   fleet_app APP SERVICE=IMAGE…  apps/APP/compose.yaml with these services (images by digest go to the release)
#   fleet_release APP VERSION SERVICE=IMAGE…  environments/prod/APP.yaml
#   tally …                   the program under test with DIR's configuration
#   expect CODE COMMAND…      run it, fail the test when it ends with another code; its output is in $OUT
#   status_get JQ             a value of the last status.json
#
# TALLY is the program. Everything else is in FLEET (DIR).

# jq 1.6 compiles its own library at every start, which takes as long as a pass; scripts start thousands of them. This one does not, and sorts
# keys by itself.
if command -v gojq >/dev/null; then
        jq() {
                [ "$1" != -S ] || shift
                command gojq "$@"
        }
fi

fleet_git() {
        git -c user.name=alice -c user.email=alice@example.org -c init.defaultBranch=main -c gpg.format=ssh \
                -c commit.gpgsign=false -c core.hooksPath=/dev/null -c advice.detachedHead=false -c maintenance.auto=false "$@"
}

fleet_make() {
        FLEET=$1 FLEET_HOST=$2
        mkdir -p "$FLEET/keys" "$FLEET/etc" "$FLEET/checkout/trust" "$FLEET/checkout/hosts"
        for key in alice bob mallory; do
                ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$FLEET/keys/$key"
        done
        printf 'alice@example.org namespaces="git" %s\n' "$(cut -d' ' -f1,2 "$FLEET/keys/alice.pub")" >"$FLEET/checkout/trust/allowed_signers"
        cp "$FLEET/checkout/trust/allowed_signers" "$FLEET/etc/allowed_signers"
        fleet_git init -q --bare "$FLEET/fleet.git"
        fleet_git -C "$FLEET/fleet.git" config receive.autogc false
        fleet_git init -q "$FLEET/checkout"
        fleet_git -C "$FLEET/checkout" remote add origin "$FLEET/fleet.git"
        "$TALLY" --config "$FLEET/etc/tally.yaml" --quiet init --repository "$FLEET/fleet.git" --host "$FLEET_HOST" \
                --trust "$FLEET/etc/allowed_signers" --state "$FLEET/state" >"$FLEET/checkout/hosts/$FLEET_HOST.yaml"
        {
                [ -z "${ENGINE_SOCKET:-}" ] || printf 'docker: {host: "unix://%s"}\n' "$ENGINE_SOCKET"
        } >>"$FLEET/etc/tally.yaml"
}

fleet_commit() {
        local message=$1 key=${2-alice}
        fleet_git -C "$FLEET/checkout" add -A
        if [ -n "$key" ]; then
                fleet_git -c user.signingkey="$FLEET/keys/$key" -C "$FLEET/checkout" commit -q -S --allow-empty -m "$message"
        else
                fleet_git -C "$FLEET/checkout" commit -q --no-gpg-sign --allow-empty -m "$message"
        fi
        fleet_git -C "$FLEET/checkout" push -q origin HEAD:main
}

fleet_app() {
        local app=$1 pair
        shift
        mkdir -p "$FLEET/checkout/apps/$app"
        {
                echo "services:"
                for pair; do
                        printf '  %s:\n    image: %s\n    stop_grace_period: 1s\n' "${pair%%=*}" "${pair#*=}"
                done
        } >"$FLEET/checkout/apps/$app/compose.yaml"
}

fleet_release() {
        local app=$1 version=$2 pair
        shift 2
        mkdir -p "$FLEET/checkout/environments/prod"
        {
                printf 'apiVersion: tallyman/v1\nkind: Release\napp: %s\nversion: "%s"\nimages:\n' "$app" "$version"
                for pair; do
                        printf '  %s: %s\n' "${pair%%=*}" "${pair#*=}"
                done
        } >"$FLEET/checkout/environments/prod/$app.yaml"
}

tally() {
        "$TALLY" --config "$FLEET/etc/tally.yaml" "$@"
}

fail() {
        echo "FAILED: $*" >&2
        [ -z "${OUT:-}" ] || printf '%s\n' "$OUT" | sed 's/^/  | /' >&2
        exit 1
}

expect() {
        local code=$1 got=0
        shift
        OUT=$("$@" 2>&1) || got=$?
        [ "$got" = "$code" ] || fail "$* ended with $got instead of $code"
}

expect_text() {
        case "$OUT" in *"$1"*) ;; *) fail "the output does not say: $1" ;; esac
}

status_get() {
        jq -r "$1" "$FLEET/state/status.json"
}

proved() {
        echo "ok - $*"
}

#
# Engine, registry and fleet together. The caller has sourced engine.sh as well.
#

# rig_make [engine option…]: an engine, a registry and a fleet for host web1 in RIG; all of it goes when the script ends
rig_make() {
        engine_available || exit 77
        for tool in git jq ssh-keygen openssl python3; do
                command -v "$tool" >/dev/null || { echo "missing: $tool"; exit 77; }
        done
        unset DOCKER_CONFIG TALLY_CONFIG
        RIG=$(temporary_dir)
        export HOME=$RIG/home
        mkdir -p "$HOME"
        trap rig_end EXIT
        trap 'exit 143' TERM INT
        engine_start "$RIG/engine" "$@"
        registry_start "$RIG/registry"
        fleet_make "$RIG/fleet" web1
}

rig_end() {
        local code=$? dir
        trap - EXIT
        # shellcheck disable=SC2086
        [ -z "${RIG_PID:-}" ] || kill -KILL $RIG_PID 2>/dev/null || :
        for dir in "$RIG"/engine*; do
                engine_stop "$dir"
        done
        for dir in "$RIG"/registry*; do
                registry_stop "$dir"
        done
        rm -rf "$RIG"
        exit "$code"
}

# app_settings APP [LINE…]: app.yaml with short times, and these lines
app_settings() {
        local app=$1
        shift
        mkdir -p "$FLEET/checkout/apps/$app"
        {
                printf 'apiVersion: tallyman/v1\nkind: App\napp: %s\n' "$app"
                [ $# -eq 0 ] || printf '%s\n' "$@"
                case " $* " in
                *rollout:*) ;;
                *) printf 'rollout: {min_healthy_time: 300ms, healthy_deadline: 60s, progress_deadline: 60s}\n' ;;
                esac
        } >"$FLEET/checkout/apps/$app/app.yaml"
}

# shop_web IMAGE [LINE…]: shop has one service, web, with these lines
shop_web() {
        local image=$1
        shift
        mkdir -p "$FLEET/checkout/apps/shop"
        {
                printf 'services:\n  web:\n    image: %s\n    restart: always\n    stop_grace_period: 1s\n' "$image"
                [ $# -eq 0 ] || printf '    %s\n' "$@"
        } >"$FLEET/checkout/apps/shop/compose.yaml"
}
# A line for it: healthy as long as it is not the image "ill".
# shellcheck disable=SC2034
ILL_IS_UNHEALTHY='healthcheck: {test: ["CMD-SHELL", "test $$(cat /www/index.html) != ill"], interval: 700ms, timeout: 20s, retries: 2}'

# shop_mounting IMAGE: shop has a service web, which mounts a file and a volume, and an api
shop_mounting() {
        mkdir -p "$FLEET/checkout/apps/shop"
        echo 'color = green' >"$FLEET/checkout/apps/shop/web.conf"
        cat >"$FLEET/checkout/apps/shop/compose.yaml" <<YAML
services:
  web:
    image: $1
    stop_grace_period: 1s
    volumes: ["./web.conf:/etc/web.conf:ro", "data:/data"]
  api:
    image: $1
    stop_grace_period: 1s
volumes: {data: {}}
YAML
}

# shop_release VERSION IMAGE: merged
shop_release() {
        fleet_release shop "$1" "web=$2"
        fleet_commit "shop $1"
}

# instances [APP [SERVICE]]: id, app, service, index, state, release, image of every container of ours, sorted
instances() {
        local filter="\"tallyman.host=$FLEET_HOST\""
        [ $# -lt 1 ] || filter="$filter,\"tallyman.app=$1\""
        [ $# -lt 2 ] || filter="$filter,\"tallyman.service=$2\""
        engine_api GET /containers/json -G --data-urlencode 'all=1' --data-urlencode "filters={\"label\":[$filter]}" |
                jq -r '.[] | [.Id, .Labels["tallyman.app"], .Labels["tallyman.service"], .Labels["tallyman.index"], .State,
                        .Labels["tallyman.release"], .Labels["tallyman.image"]] | @tsv' | sort -k2,4
}

# instance_of APP SERVICE: the id of its one running container
instance_of() {
        local ids
        ids=$(instances "$1" "$2" | awk '$5 == "running" { print $1 }')
        [ "$(wc -w <<<"$ids")" = 1 ] || { instances >&2; fail "$1/$2 has not one running container but: $ids"; }
        echo "$ids"
}

inspect() {
        engine_api GET "/containers/$1/json" | jq -r "$2"
}

# inside ID PATH: a file of a running container as its processes see it
inside() {
        cat "/proc/$(inspect "$1" .State.Pid)/root$2"
}

ledger_git() {
        git -C "$FLEET/state/ledger.git" "$@"
}

# records [JQ]: every record of the ledger in order, as {sequence, kind, app, file, envelope, record: the predicate}
records() {
        local file
        ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" evidence | sort | while read -r file; do
                ledger_git show "tally/$FLEET_HOST:$file" | jq -c --arg file "$file" '. as $envelope | (.payload | @base64d | fromjson) as $s |
                        {file: $file, envelope: $envelope, subject: $s.subject, record: $s.predicate}'
        done | jq -r "${1:-.}"
}

# record_kinds: the kinds of records since the last call of records_mark, in one line
records_mark() {
        RECORDS_MARK=$(ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" evidence 2>/dev/null | wc -l)
}
record_kinds() {
        ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" evidence | sort | tail -n "+$((${RECORDS_MARK:-0} + 1))" |
                sed -E 's,.*/[0-9]+-,,; s,\.dsse\.json$,,
                        s,^((external|trust|policy)-change|key-rotation|clock-event|(remote|peer)-anomaly|gap-declared|[a-z]+)(-.*)?$,\1,' | paste -sd' '
}

# free_port: one that nobody listens at, and no connection is given by chance (those begin at 32768)
free_port() {
        local port
        while port=$((16384 + RANDOM % 16384)); do
                grep -qs ":$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6 || break
        done
        echo "$port"
}

# same WANTED GOT WHAT
same() {
        [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}

# status_is JQ VALUE [WHAT]
status_is() {
        same "$2" "$(status_get "$1")" "${3:-status.json $1}"
}

#
# A fleet without an engine: its apps run in the fake runtime, whose world is one file (providers/fake/fake.h).
#

# fake_rig: a fleet for host web1 in RIG, with the app shop released in version 1; all of it goes when the script ends
fake_rig() {
        local tool
        for tool in git jq ssh-keygen; do
                command -v "$tool" >/dev/null || { echo "missing: $tool"; exit 77; }
        done
        unset DOCKER_CONFIG TALLY_CONFIG DOCKER_HOST
        RIG=$(mktemp -d "${TMPDIR:-/tmp}/tally.XXXXXX")
        export HOME=$RIG/home GIT_CONFIG_NOSYSTEM=1
        mkdir -p "$HOME"
        trap fake_rig_end EXIT
        trap 'exit 143' TERM INT
        fleet_make "$RIG/fleet" web1
        fake_app shop
        fake_release 1
}

# A script that mounts something below RIG says so in RIG_MOUNT, one that starts a process in RIG_PID.
fake_rig_end() {
        local code=$? dir
        trap - EXIT
        [ -z "${RIG_PID:-}" ] || kill -KILL "$RIG_PID" 2>/dev/null || :
        [ -z "${RIG_MOUNT:-}" ] || umount "$RIG_MOUNT" 2>/dev/null || :
        rm -rf "$RIG"
        exit "$code"
}

# fake_app APP: one service "web", at rest as soon as it runs
fake_app() {
        mkdir -p "$FLEET/checkout/apps/$1"
        printf 'services:\n  web: {image: "registry.example/%s/web"}\n' "$1" >"$FLEET/checkout/apps/$1/compose.yaml"
        printf 'apiVersion: tallyman/v1\nkind: App\napp: %s\nruntime: fake\nrollout: {min_healthy_time: 0s}\n' "$1" \
                >"$FLEET/checkout/apps/$1/app.yaml"
}

# fake_image VERSION [APP]
fake_image() {
        printf 'registry.example/%s/web@sha256:%s' "${2:-shop}" "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"
}

# fake_release VERSION [APP]
fake_release() {
        fleet_release "${2:-shop}" "$1" "web=$(fake_image "$1" "${2:-shop}")"
}

# fake JQ: of the fake runtime's world; fake_set JQ: change it
fake() {
        jq -r "$1" "$FLEET/state/fake/world.json"
}
fake_set() {
        local world='{}'
        [ ! -f "$FLEET/state/fake/world.json" ] || world=$(cat "$FLEET/state/fake/world.json")
        mkdir -p "$FLEET/state/fake"
        jq "$1" <<<"$world" >"$RIG/fake.new"
        mv "$RIG/fake.new" "$FLEET/state/fake/world.json"
}

# running [APP]: the versions that run
running() {
        fake "[.instances[]? | select(.app == \"${1:-shop}\" and .state == \"running\") | .version] | join(\" \")"
}

remote_git() {
        fleet_git -C "$FLEET/fleet.git" "$@"
}

tip() {
        remote_git rev-parse "${1:-main}"
}

work() {
        fleet_git -C "$FLEET/checkout" "$@"
}

# as KEY GIT-ARGUMENT…: in the work tree, what git makes is signed by KEY
as() {
        local key=$1
        shift
        fleet_git -c user.signingkey="$FLEET/keys/$key" -c commit.gpgsign=true -C "$FLEET/checkout" "$@"
}

# force [COMMIT]: the server's branch is now this
force() {
        work push -q -f origin "${1:-HEAD}:refs/heads/main"
}

# back_to COMMIT: the work tree and the server's branch
back_to() {
        work reset -q --hard "$1"
        work clean -fdq
        force
}

# records_of KIND: the files of a kind's records in the ledger, oldest first
records_of() {
        ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" evidence 2>/dev/null | grep -E -- "/[0-9]+-$1(-[a-z0-9]+)?\.dsse\.json$" || :
}

# last_record KIND [JQ]: of the newest record of a kind, the predicate; nothing when there is none
last_record() {
        local file
        file=$(records_of "$1" | tail -n 1)
        [ -z "$file" ] || ledger_git show "tally/$FLEET_HOST:$file" | jq -r ".payload | @base64d | fromjson | .predicate | ${2:-.}"
}

# count_records KIND
count_records() {
        records_of "$1" | wc -l
}

# what_runs: the fake runtime's instances, in one line
what_runs() {
        [ ! -f "$FLEET/state/fake/world.json" ] || jq -c .instances "$FLEET/state/fake/world.json"
}

# accepted WHAT [VERSION]: a pass accepts the tip, and what it declares runs
accepted() {
        local what=$1 version=${2:-}
        expect 0 tally pass
        same "$(tip) null" "$(status_get '"\(.desired.accepted) \(.desired.refusal)"')" "$what: the accepted commit, and no refusal"
        [ -z "$version" ] || same "$version" "$(running)" "$what: the version that runs"
        proved "$what"
}

# accepted_and_runs: the accepted commit and the fake runtime's instances, by a single jq: one costs as much as a pass
accepted_and_runs() {
        local status=$FLEET/state/status.json world=$FLEET/state/fake/world.json
        [ -f "$status" ] || status=/dev/null
        [ -f "$world" ] || world=/dev/null
        jq -nr --slurpfile status "$status" --slurpfile world "$world" \
                '"\($status[0].desired.accepted) \($world[0].instances | tojson)\n\($status[0].desired.refusal | "\(.code) \(.commit)")"'
}

# refused CODE WHAT [EXIT]: a pass refuses the tip, says so everywhere, once, and leaves all as it was
refused() {
        local code=$1 what=$2 exit=${3:-4} before after tip had
        tip=$(tip)
        before=$(accepted_and_runs)
        had=$(count_records refusal)
        expect "$exit" tally pass
        after=$(accepted_and_runs)
        same "$code $tip" "${after##*$'\n'}" "$what: the refusal in status.json"
        same "${before%$'\n'*}" "${after%$'\n'*}" "$what: the accepted commit in status.json, and what runs"
        same "$code $tip denied" "$(last_record refusal '"\(.error.code) \(.refused) \(.outcome)"')" "$what: the record of the refusal"
        same "$(ledger_git rev-parse "tally/$FLEET_HOST")" "$(tip "tally/$FLEET_HOST")" "$what: the ledger at the remote"
        same $((had + 1)) "$(count_records refusal)" "$what: refusals in the ledger"
        proved "$what"
}

# release VERSION: of the app shop, merged at the server
release() {
        fake_release "$1"
        fleet_commit "release $1"
}

# converges VERSION WHAT: a pass brings it
converges() {
        expect 0 tally pass
        same "$1" "$(running)" "$2: what runs"
        proved "$2"
}

# separate_ledger: the ledger has its own repository, from the first pass on
separate_ledger() {
        remote_ledger=$FLEET/ledger.git
        fleet_git init -q --bare "$remote_ledger"
        echo "ledger: {repository: \"$remote_ledger\"}" >>"$FLEET/etc/tally.yaml"
}

ledger_tip() {
        git -C "$remote_ledger" rev-parse -q --verify "tally/$FLEET_HOST" || echo none
}

# ledger_is_whole WHAT: here as at the remote, every commit signed, no intent open, and doctor agrees
ledger_is_whole() {
        local branch=tally/$FLEET_HOST last
        same "$(ledger_git rev-parse "$branch")" "$(ledger_tip)" "$1: the ledger at the remote"
        echo "$FLEET_HOST namespaces=\"git\" $(cut -d' ' -f1,2 "$FLEET/state/id_ed25519.pub")" >"$RIG/host_signers"
        git -C "$remote_ledger" rev-list "$branch" | xargs git -C "$remote_ledger" -c gpg.ssh.allowedSignersFile="$RIG/host_signers" \
                verify-commit 2>"$RIG/verify" || { tail -n 5 "$RIG/verify" >&2; fail "$1: git verify-commit"; }
        OUT=$(tally --json doctor 2>&1) || :
        same ok "$(jq -r '.findings[] | select(.check == "ledger") | .severity' <<<"$OUT")" "$1: what doctor says of the ledger"
        last=$(ledger_git ls-tree -r --name-only "$branch" evidence | sort | tail -n 1)
        same '[]' "$(ledger_git show "$branch:$last" | jq -c '.payload | @base64d | fromjson | .predicate.openIntents')" "$1: open intents"
}
