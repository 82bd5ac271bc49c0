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
