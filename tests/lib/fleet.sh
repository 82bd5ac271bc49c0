# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A signed fleet in a folder, for tests: keys, a bare repository, a work tree, a host's configuration.
#
#   fleet_make DIR HOST       keys alice (trusted) and mallory (not), DIR/fleet.git, DIR/work, DIR/etc/tally.yaml; enrols HOST
#   fleet_commit MESSAGE [KEY]    commit everything in DIR/work, signed by KEY (default alice; "" is unsigned), and push
#   fleet_app APP SERVICE=IMAGE…  apps/APP/compose.yaml with these services (images by digest go to the release)
#   fleet_release APP VERSION SERVICE=IMAGE…  environments/prod/APP.yaml
#   tally …                   the program under test with DIR's configuration
#   expect CODE COMMAND…      run it, fail the test when it ends with another code; its output is in $OUT
#   status_get JQ             a value of the last status.json
#
# TALLY is the program. Everything else is in FLEET (DIR).

fleet_git() {
        git -c user.name=alice -c user.email=alice@example.org -c init.defaultBranch=main -c gpg.format=ssh \
                -c commit.gpgsign=false -c core.hooksPath=/dev/null -c advice.detachedHead=false "$@"
}

fleet_make() {
        FLEET=$1 FLEET_HOST=$2
        mkdir -p "$FLEET/keys" "$FLEET/etc" "$FLEET/work/trust" "$FLEET/work/hosts"
        for key in alice bob mallory; do
                ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$FLEET/keys/$key"
        done
        printf 'alice@example.org namespaces="git" %s\n' "$(cut -d' ' -f1,2 "$FLEET/keys/alice.pub")" >"$FLEET/work/trust/allowed_signers"
        cp "$FLEET/work/trust/allowed_signers" "$FLEET/etc/allowed_signers"
        fleet_git init -q --bare "$FLEET/fleet.git"
        fleet_git init -q "$FLEET/work"
        fleet_git -C "$FLEET/work" remote add origin "$FLEET/fleet.git"
        "$TALLY" --config "$FLEET/etc/tally.yaml" --quiet init --repository "$FLEET/fleet.git" --host "$FLEET_HOST" \
                --trust "$FLEET/etc/allowed_signers" --state "$FLEET/state" >"$FLEET/work/hosts/$FLEET_HOST.yaml"
        {
                [ -z "${ENGINE_SOCKET:-}" ] || printf 'docker: {host: "unix://%s"}\n' "$ENGINE_SOCKET"
        } >>"$FLEET/etc/tally.yaml"
}

fleet_commit() {
        local message=$1 key=${2-alice}
        fleet_git -C "$FLEET/work" add -A
        if [ -n "$key" ]; then
                fleet_git -c user.signingkey="$FLEET/keys/$key" -C "$FLEET/work" commit -q -S --allow-empty -m "$message"
        else
                fleet_git -C "$FLEET/work" commit -q --no-gpg-sign --allow-empty -m "$message"
        fi
        fleet_git -C "$FLEET/work" push -q origin HEAD:main
}

fleet_app() {
        local app=$1 pair
        shift
        mkdir -p "$FLEET/work/apps/$app"
        {
                echo "services:"
                for pair; do
                        printf '  %s:\n    image: %s\n    stop_grace_period: 1s\n' "${pair%%=*}" "${pair#*=}"
                done
        } >"$FLEET/work/apps/$app/compose.yaml"
}

fleet_release() {
        local app=$1 version=$2 pair
        shift 2
        mkdir -p "$FLEET/work/environments/prod"
        {
                printf 'apiVersion: tallyman/v1\nkind: Release\napp: %s\nversion: "%s"\nimages:\n' "$app" "$version"
                for pair; do
                        printf '  %s: %s\n' "${pair%%=*}" "${pair#*=}"
                done
        } >"$FLEET/work/environments/prod/$app.yaml"
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
        local code=$?
        trap - EXIT
        [ -z "${RIG_PID:-}" ] || kill -KILL "$RIG_PID" 2>/dev/null || :
        engine_stop "$RIG/engine"
        registry_stop "$RIG/registry"
        rm -rf "$RIG"
        exit "$code"
}

# app_settings APP [LINE…]: app.yaml with short times, and these lines
app_settings() {
        local app=$1
        shift
        mkdir -p "$FLEET/work/apps/$app"
        {
                printf 'apiVersion: tallyman/v1\nkind: App\napp: %s\n' "$app"
                [ $# -eq 0 ] || printf '%s\n' "$@"
                case " $* " in
                *rollout:*) ;;
                *) printf 'rollout: {min_healthy_time: 300ms, healthy_deadline: 20s, progress_deadline: 30s}\n' ;;
                esac
        } >"$FLEET/work/apps/$app/app.yaml"
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

# record_kinds [APP]: the kinds of records since the last call of records_mark, in one line
records_mark() {
        RECORDS_MARK=$(ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" evidence 2>/dev/null | wc -l)
}
record_kinds() {
        ledger_git ls-tree -r --name-only "tally/$FLEET_HOST" evidence | sort | tail -n "+$((${RECORDS_MARK:-0} + 1))" |
                sed 's,.*/[0-9]*-,,; s,\.dsse\.json$,,' | paste -sd' '
}

# same WANTED GOT WHAT
same() {
        [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}

# status_is JQ VALUE [WHAT]
status_is() {
        same "$2" "$(status_get "$1")" "${3:-status.json $1}"
}
