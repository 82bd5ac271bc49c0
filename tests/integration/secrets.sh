#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A registry's password and a secret's content: where they belong and nowhere else.
#
#   secrets.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make
registry_stop "$RIG/registry"
registry_start "$RIG/registry2" jane Pa55-of-Jane

image=$(image_make shop/web one)
two=$(image_make shop/web two)
words='Pa55-of-Jane|c3VwZXJzZWNyZXQ|supersecret-of-the-app|'$(printf 'jane:Pa55-of-Jane' | base64)
printf '%s' 'supersecret-of-the-app' >"$RIG/word"

# clean WHERE: no secret in what comes on stdin
clean() {
        if grep -aqE "$words" >"$RIG/found"; then
                OUT=$(head -c 2000 "$RIG/found")
                fail "a secret is in $1"
        fi
}

fleet_app shop "web=$image"
cat >>"$FLEET/checkout/apps/shop/compose.yaml" <<'YAML'
    secrets: [{source: token, target: token, mode: 0400}]
    configs: [{source: settings, target: /etc/settings}]
    env_file: [app.env]
secrets: {token: {file: ./token}}
configs: {settings: {file: ./settings}}
YAML
cp "$RIG/word" "$FLEET/checkout/apps/shop/token"
echo 'level = 3' >"$FLEET/checkout/apps/shop/settings"
printf 'COLOR=green\nQUOTED="with space"\n' >"$FLEET/checkout/apps/shop/app.env"
app_settings shop
fleet_release shop 1 "web=$image"
fleet_commit shop

#
# Without, and with the wrong password
#

# Refused credentials are the host's affair: the release waits for them.
expect 3 tally --debug sync --timeout 1s
expect_text 'no basic auth credentials'
same '' "$(instances)" 'containers without credentials'
status_is '.apps[0].failure.code' IMAGE_AUTH
status_is '.apps[0].phase' preparing
clean 'what a pass without credentials says' <<<"$OUT"
proved 'without credentials the release waits, and IMAGE_AUTH says for what'

mkdir -p "$FLEET/docker"
credentials() {
        printf '{"auths": {"%s": {"auth": "%s"}}}' "$REGISTRY" "$(printf '%s' "$1" | base64)" >"$FLEET/docker/config.json"
        chmod 600 "$FLEET/docker/config.json"
}
sed -i "s,^docker: {,docker: {config: \"$FLEET/docker/config.json\"\, ," "$FLEET/etc/tally.yaml"

credentials jane:wrong
# The next try is a second or two after the first.
expect 3 tally --debug sync --timeout 5s
status_is '.apps[0].failure.code' IMAGE_AUTH
status_is '.apps[0].poisoned | length' 0
proved 'with the wrong password, too'

#
# With the right one, watched
#

credentials jane:Pa55-of-Jane
: >"$RIG/argv"
(
        while [ ! -e "$RIG/stop" ]; do
                cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -aE "$words" >>"$RIG/argv" || :
        done
) &
RIG_PID=$!
expect 0 tally --debug sync --timeout 120s
touch "$RIG/stop"
wait "$RIG_PID"
RIG_PID=
same '' "$(grep -avE 'grep' "$RIG/argv")" 'arguments of processes'
clean 'what the pass says with --debug' <<<"$OUT"
status_is '.apps[0].failure' null
proved 'once the password is mended the same release deploys; nothing is in arguments or the debug log'

web=$(instance_of shop web)
same supersecret-of-the-app "$(inside "$web" /run/secrets/token)" 'the secret in the container'
same 'level = 3' "$(inside "$web" /etc/settings)" 'the config in the container'
inspect "$web" '.Config.Env[]' | grep -x 'COLOR=green' >/dev/null || fail "COLOR is not in the environment"
inspect "$web" '.Config.Env[]' | grep -x 'QUOTED=with space' >/dev/null || fail "QUOTED is not in the environment"
same 400 "$(stat -Lc %a "/proc/$(inspect "$web" .State.Pid)/root/run/secrets/token")" 'mode of the secret'
proved 'secret, config and env_file are in the container as declared'

found=$(grep -rlaF supersecret-of-the-app "$FLEET/state" | grep -v '/desired.git/' || :)
grep -q "^$FLEET/state/files/" <<<"$found" || fail "the secret is not among the files but in $found"
# The workload that serves is remembered whole, so that it can be repaired without git.
for file in $found; do
        case $file in
        "$FLEET/state/files/"* | "$FLEET/state/settled-shop.json") ;;
        *) fail "the secret is in $file" ;;
        esac
        [ $((0$(stat -c %a "$file") & 0077)) = 0 ] || fail "$file can be read by others"
done
same 700 "$(stat -c %a "$FLEET/state")" 'mode of the state folder'
[ -z "$(grep -rlaE 'Pa55-of-Jane' "$FLEET/state" || :)" ] || fail 'the password is in the state folder'
proved 'in the state folder the secret is where it is needed, unreadable for others, and the password nowhere'

ledger_git rev-list --objects --all | cut -d' ' -f1 | ledger_git cat-file --batch | clean 'the ledger'
records '.record' | clean 'a record'
proved 'neither is in any object of the ledger'

for verb in status history 'explain shop' diff doctor; do
        # shellcheck disable=SC2086
        OUT=$(tally --debug --json $verb 2>&1) || :
        clean "the output of $verb" <<<"$OUT"
done
inspect "$web" '[.Config.Labels, .Config.Cmd, .Name] | tojson' | clean 'the labels of the container'
proved 'neither is told by any verb'

#
# It rotates
#

printf 'another-secret-of-the-app' >"$FLEET/checkout/apps/shop/token"
fleet_release shop 4 "web=$two"
fleet_commit 'another token'
expect 0 tally sync --timeout 120s
same another-secret-of-the-app "$(inside "$(instance_of shop web)" /run/secrets/token)" 'the secret in the container'
same '' "$(grep -rlaF supersecret-of-the-app "$FLEET/state" | grep -v '/desired.git/' || :)" 'what is left of the old secret'
proved 'a secret that changed replaces the container, and the old one is gone from the host'

#
# Remotes with passwords in their address
#

sed "s,^repository:.*,repository: https://jane:Pa55-of-Jane@127.0.0.1:1/fleet.git," "$FLEET/etc/tally.yaml" >"$RIG/tally.yaml"
OUT=$("$TALLY" --config "$RIG/tally.yaml" --debug pass 2>&1) && fail 'a pass against a dead remote succeeded'
clean 'what a pass says whose remote has a password in its address' <<<"$OUT"
proved 'a password in the address of the repository is not told either'
