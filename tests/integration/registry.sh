#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tally lock against a real registry, and against one that misbehaves.
#
#   registry.sh TALLY

set -euo pipefail

tally=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"

for tool in docker-registry curl python3 openssl git; do
        command -v "$tool" >/dev/null || { echo "registry.sh: $tool is missing" >&2; exit 77; }
done

dir=$(temporary_dir)
stub_pid= tls_pid= case_name=start
cleanup() {
        local pid
        for pid in $stub_pid $tls_pid; do
                kill -KILL "$pid" 2>/dev/null || :
        done
        registry_stop "$dir/open"
        registry_stop "$dir/login"
        rm -rf "$dir"
}
trap cleanup EXIT

unset DOCKER_CONFIG TALLY_CONFIG http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export HOME=$dir/home GIT_AUTHOR_NAME='Jane Doe' GIT_AUTHOR_EMAIL=jane@example.org
mkdir -p "$HOME/.docker"
release=environments/prod/shop.yaml

fail() {
        echo "FAIL: $case_name: $*" >&2
        for f in out err stub.log "tree/$release"; do
                echo "--- $f" >&2
                [ ! -f "$dir/$f" ] || tail -n 20 "$dir/$f" >&2
        done
        exit 1
}

# tree IMAGE: a new working tree with one service
tree() {
        rm -rf "$dir/tree"
        mkdir -p "$dir/tree/apps/shop"
        printf 'services:\n  web: {image: "%s"}\n' "$1" >"$dir/tree/apps/shop/compose.yaml"
}

lock() {
        local status=0
        "$tally" lock --env prod --app shop --dir "$dir/tree" "$@" >"$dir/out" 2>"$dir/err" || status=$?
        echo "$status" >"$dir/status"
}

# locked REFERENCE [ARGUMENT…]: it succeeds and pins this
locked() {
        local reference=$1
        shift
        lock "$@"
        [ "$(cat "$dir/status")" = 0 ] || fail "ended with $(cat "$dir/status")"
        grep -qxF "  web: $reference" "$dir/tree/$release" || fail "does not pin $reference"
}

# refused EXIT WORDS [ARGUMENT…]: it fails so, says so, and writes nothing
refused() {
        local status=$1 words=$2 before after
        shift 2
        before=$(cat "$dir/tree/$release" 2>/dev/null || echo none)
        lock "$@"
        [ "$(cat "$dir/status")" = "$status" ] || fail "ended with $(cat "$dir/status") instead of $status"
        grep -qF -- "$words" "$dir/err" || fail "does not say '$words'"
        after=$(cat "$dir/tree/$release" 2>/dev/null || echo none)
        [ "$before" = "$after" ] || fail "changed the release"
        if grep -qE "$secrets" "$dir/out" "$dir/err"; then
                fail "tells a secret"
        fi
}
secrets='s3cret-Pass|id3ntity-Token|t0ken.abc|czNjcmV0'

# push NAME TAG TEXT: a manifest, by hand; prints its digest
push() {
        local config
        printf '{"text":"%s"}' "$3" >"$dir/blob"
        config=$(image_blob "$1" "$dir/blob")
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":%d,"digest":"%s"},"layers":[]}' \
                "$(stat -c %s "$dir/blob")" "$config" >"$dir/manifest"
        registry_put "http://$REGISTRY/v2/$1/manifests/$2" "$dir/manifest" application/vnd.oci.image.manifest.v1+json
        echo "sha256:$(sha256sum "$dir/manifest" | cut -d' ' -f1)"
}

# push_index NAME TAG DIGEST: an index of one manifest; prints its digest
push_index() {
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%d,"digest":"%s","platform":{"architecture":"amd64","os":"linux"}}]}' \
                "$(stat -c %s "$dir/manifest")" "$3" >"$dir/index"
        registry_put "http://$REGISTRY/v2/$1/manifests/$2" "$dir/index" application/vnd.oci.image.index.v1+json
        echo "sha256:$(sha256sum "$dir/index" | cut -d' ' -f1)"
}

# credentials REGISTRY JSON
credentials() {
        printf '{"auths": {"%s": %s}}' "$1" "$2" >"$HOME/.docker/config.json"
}

#
# A real registry
#

registry_start "$dir/open"
open=$REGISTRY

case_name='a tag becomes a digest'
first=$(push shop/web 1.4.2 one)
tree "$open/shop/web:1.4.2"
locked "$open/shop/web:1.4.2@$first"
grep -qxF 'version: "1.4.2"' "$dir/tree/$release" || fail "the version is not the tag"
grep -qE '^created: "20[0-9-]+T[0-9:]+Z"$' "$dir/tree/$release" || fail "does not say when"
grep -qxF 'by: Jane Doe <jane@example.org>' "$dir/tree/$release" || fail "does not say by whom"
grep -qxF "  web: (none) -> $open/shop/web:1.4.2@$first" "$dir/out" || fail "does not tell the change"

case_name='the tag is moved: the release stays'
before=$(sha256sum <"$dir/tree/$release")
second=$(push shop/web 1.4.2 two)
[ "$first" != "$second" ] || fail "the manifests are the same"
[ "$before" = "$(sha256sum <"$dir/tree/$release")" ] || fail "the file changed"

case_name='a digest that is there is kept'
locked "$open/shop/web@$first" --version kept "web=$open/shop/web@$first"
tree "$open/shop/web:1.4.2"
locked "$open/shop/web:1.4.2@$first" "web=$open/shop/web:1.4.2@$first"

case_name='--update asks again'
locked "$open/shop/web:1.4.2@$second" --update
grep -qxF "  web: $open/shop/web:1.4.2@$first -> $open/shop/web:1.4.2@$second" "$dir/out" || fail "does not tell old and new"

case_name='nothing changes: nothing is written'
before=$(stat -c '%i %Y' "$dir/tree/$release")
locked "$open/shop/web:1.4.2@$second" --update
[ "$before" = "$(stat -c '%i %Y' "$dir/tree/$release")" ] || fail "wrote the file again"
grep -qF 'nothing changed' "$dir/out" || fail "does not say so"

case_name='--json is one document'
third=$(push shop/web 1.5 three)
"$tally" --json lock --env prod --app shop --dir "$dir/tree" "web=$open/shop/web:1.5" |
        python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["written"] is True and d["version"] == "1.5" and d["path"] == sys.argv[1], d
assert d["images"]["web"] == sys.argv[2] and d["changes"][0]["to"] == sys.argv[2], d' "$release" "$open/shop/web:1.5@$third" ||
        fail "wrong document"

case_name='an index is pinned as an index'
index=$(push_index shop/web 1.6 "$third")
locked "$open/shop/web:1.6@$index" "web=$open/shop/web:1.6"

case_name='a tag, a repository or a digest that is not there'
refused 2 "the registry has no 9 (MANIFEST_UNKNOWN" "web=$open/shop/web:9"
refused 2 "the registry has no 1 (MANIFEST_UNKNOWN" --version 1 "web=$open/shop/nothing:1"
refused 2 "the registry has no sha256:" --version 1 "web=$open/shop/web@sha256:$(printf '0%.0s' {1..64})"

case_name='no proxy is asked for this machine'
tree "$open/shop/web:1.4.2"
http_proxy=http://127.0.0.1:1 locked "$open/shop/web:1.4.2@$second"

case_name='a tree that cannot be used'
refused 2 "'../x' is not the name of an environment" --env ../x
rm -rf "$dir/tree/apps/shop"
refused 2 'there is no folder apps/shop'

#
# A registry with passwords
#

registry_start "$dir/login" jane s3cret-Pass
login=$REGISTRY
digest=$(push shop/web 2 private)
tree "$login/shop/web:2"

case_name='no password'
rm -f "$HOME/.docker/config.json"
refused 4 'the registry asks for a user and a password'

case_name='a wrong password'
credentials "$login" "{\"auth\": \"$(printf jane:wrong-s3cret-Pass | base64)\"}"
refused 4 'the registry refuses us: it answers 401 (UNAUTHORIZED'

case_name='the right password'
credentials "$login" "{\"auth\": \"$(printf jane:s3cret-Pass | base64)\"}"
locked "$login/shop/web:2@$digest"
rm "$dir/tree/$release"
mkdir "$dir/docker"
mv "$HOME/.docker/config.json" "$dir/docker/"
DOCKER_CONFIG=$dir/docker locked "$login/shop/web:2@$digest"

case_name='the registry went away'
registry_stop "$dir/login"
refused 1 'cannot connect' --update

#
# TLS, on loopback too
#

case_name='a certificate that verifies, and one that does not'
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$dir/tls.key" -out "$dir/tls.pem" 2>/dev/null
tls=localhost:$((20000 + RANDOM % 20000))
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s", tls: {certificate: %s, key: %s}}\n' \
        "$dir/open/data" "$tls" "$dir/tls.pem" "$dir/tls.key" >"$dir/tls.yml"
docker-registry serve "$dir/tls.yml" >>"$dir/tls.log" 2>&1 </dev/null &
tls_pid=$!
disown $tls_pid
for ((i = 0; i < 200; i++)); do
        curl -sS --max-time 5 --cacert "$dir/tls.pem" -o /dev/null "https://$tls/v2/" 2>/dev/null && break
        sleep 0.05
done
tree "$tls/shop/web:1.5"
refused 4 "the server's certificate does not verify"
locked "$tls/shop/web:1.5@$third" --ca "$dir/tls.pem"

#
# A registry that misbehaves
#

: >"$dir/stub.log"
python3 "$here/lib/registry_stub.py" "$dir/stub.log" >"$dir/stub.out" 2>"$dir/stub.err" &
stub_pid=$!
disown $stub_pid
for ((i = 0; i < 200; i++)); do
        [ -s "$dir/stub.out" ] && break
        sleep 0.05
done
read -r port digest <"$dir/stub.out"
stub=127.0.0.1:$port
rm -f "$HOME/.docker/config.json"

# misbehaves EXIT NAME WORDS [ARGUMENT…]
misbehaves() {
        local status=$1 name=$2 words=$3
        shift 3
        case_name=$name
        tree "$stub/$name/web:1"
        refused "$status" "$words" "$@"
}

count() {
        grep -c -- "$1" "$dir/stub.log" || :
}

misbehaves 4 liar 'not sha256:'
misbehaves 1 cut 'the answer was cut off'
misbehaves 1 slow 'no answer in time' --timeout 1s
misbehaves 1 busy 'it asks to wait 7 seconds'
misbehaves 1 broken 'answers 500'
misbehaves 1 html "'text/html'"
misbehaves 1 huge 'exceeds 4194304 bytes'
misbehaves 4 away 'redirect'
misbehaves 4 evil "'http://auth.example/token', where we send no credentials"
misbehaves 4 garbled 'a quotation mark is not closed'
misbehaves 4 forbidden 'DENIED: no?[31m'
misbehaves 4 private 'gives no token: it answers 401'

case_name='other bytes than the digest asked for'
tree "$stub/swapped/web@$digest"
refused 4 "not $digest as was asked for" --version 1 "web=$stub/swapped/web:1@$digest"

case_name='a redirect on the same host'
tree "$stub/moved/web:1"
locked "$stub/moved/web:1@$digest"

case_name='a token without a password'
tree "$stub/token/web:1"
locked "$stub/token/web:1@$digest"

case_name='a token is asked for once per repository'
printf 'services: {web: {image: "%s"}, api: {image: "%s"}, db: {image: "%s"}}\n' \
        "$stub/token/web:1" "$stub/token/web:2" "$stub/token/db:1" >"$dir/tree/apps/shop/compose.yaml"
: >"$dir/stub.log"
locked "$stub/token/web:1@$digest" --version 3
[ "$(count '^GET /token ')" = 2 ] || fail "$(count '^GET /token ') tokens for two repositories"

case_name='a token by password'
credentials "$stub" '{"username": "jane", "password": "s3cret-Pass"}'
tree "$stub/private/web:1"
: >"$dir/stub.log"
locked "$stub/private/web:1@$digest"
[ "$(count '^GET /token Basic$')" = 1 ] || fail "the realm did not get the password"
[ "$(count '^GET /v2/.* Basic$')" = 0 ] || fail "the registry got the password"

case_name='a token by identity token'
credentials "$stub" '{"identitytoken": "id3ntity-Token"}'
tree "$stub/identity/web:1"
: >"$dir/stub.log"
locked "$stub/identity/web:1@$digest"
[ "$(count '^POST /token none$')" = 1 ] || fail "no POST to the realm"

case_name='a configuration that is broken'
echo '{"auths": ' >"$HOME/.docker/config.json"
tree "$stub/private/web:1"
refused 2 "$HOME/.docker/config.json is not a JSON object"

case_name='one service of two: neither is written'
rm "$HOME/.docker/config.json"
printf 'services: {api: {image: "%s"}, web: {image: "%s"}}\n' "$stub/good/web:1" "$stub/broken/web:1" \
        >"$dir/tree/apps/shop/compose.yaml"
refused 1 "service 'web'"
[ ! -e "$dir/tree/environments" ] || fail "made a folder"

echo 'lock: every case passed'
