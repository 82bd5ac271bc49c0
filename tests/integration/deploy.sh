#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job: a signed merge becomes running containers, and a ledger that proves it.
#
#   deploy.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

rig_make

one=$(image_make shop/web one)
two=$(image_make shop/web two)
index=$(index_make shop/multi indexed)

#
# Enrolment
#

fleet_app shop "web=$one" "api=$one"
app_settings shop
fleet_release shop 1.0 "web=$one"
mv "$FLEET/checkout/hosts/web1.yaml" "$RIG/web1.yaml"
fleet_commit 'a fleet without this host'
expect 3 tally pass
status_is .state blocked
status_is .blocked.code HOST_NOT_ENROLLED
expect_text "$(awk '/^key:/ { print $3 }' "$RIG/web1.yaml")"
same '' "$(instances)" 'containers of a host that is not enrolled'
proved 'a host that is not enrolled touches nothing, and says what to merge'

fleet_git -C "$FLEET/checkout" switch -q -c enrol
mv "$RIG/web1.yaml" "$FLEET/checkout/hosts/web1.yaml"
fleet_git -C "$FLEET/checkout" add -A
fleet_git -c user.signingkey="$FLEET/keys/alice" -C "$FLEET/checkout" commit -q -S -m 'enrol web1'
fleet_git -C "$FLEET/checkout" switch -q main
fleet_git -c user.signingkey="$FLEET/keys/alice" -C "$FLEET/checkout" merge -q --no-ff -S -m 'merge web1' enrol
fleet_git -C "$FLEET/checkout" push -q origin HEAD:main

expect 3 tally diff
expect_text shop
same '' "$(instances)" 'containers after a diff'
proved 'diff tells what is due and changes nothing'

expect 0 tally pass
web=$(instance_of shop web)
api=$(instance_of shop api)
proved 'a merge that enrols the host deploys both services'

expect 0 tally diff
expect_text 'no difference'
expect 0 tally --json diff
proved 'after the pass there is no difference'

#
# What is left behind
#

release=$(status_get '.apps[0].running.release')
label() { inspect "$web" ".Config.Labels[\"$1\"]"; }
same web1 "$(label tallyman.host)" label
same prod "$(label tallyman.environment)" label
same shop "$(label tallyman.app)" label
same web "$(label tallyman.service)" label
same "$release" "$(label tallyman.release)" label
same 1.0 "$(label tallyman.version)" label
[[ $(label tallyman.spec) =~ ^sha256:[0-9a-f]{64}$ ]] || fail "tallyman.spec is $(label tallyman.spec)"
same shop "$(label com.docker.compose.project)" label
same web "$(label com.docker.compose.service)" label
same 1 "$(label com.docker.compose.container-number)" label
proved 'containers carry the fixed labels, and those of docker compose'

tip=$(git -C "$FLEET/fleet.git" rev-parse main)
status_is .schema tallyman/status/v1
status_is .host web1
status_is .environment prod
status_is .state converged
status_is .desired.branch main
status_is .desired.tip "$tip"
status_is .desired.accepted "$tip"
status_is .desired.refusal null
status_is '.apps | length' 1
status_is '.apps[0].app' shop
status_is '.apps[0].phase' settled
status_is '.apps[0].health' healthy
status_is '.apps[0].desired.version' 1.0
status_is '.apps[0].desired.release' "$release"
status_is '.apps[0].running.version' 1.0
status_is '.apps[0] | [.poisoned, .drift] | tojson' '[[],[]]'
status_is '[.apps[0].gates[] | has("gate") and has("reasons"), .verdict] | unique | tojson' '[true,"allow"]'
status_is '[.apps[0].instances[].service] | sort | join(" ")' 'api web'
status_is '.apps[0].instances[] | select(.service == "web") | .id' "$web"
status_is '.apps[0].instances[] | select(.service == "web") | .image' "$one"
status_is '[.apps[0].instances[] | .health, .role] | unique | join(" ")' 'current none'
status_is 'has("fleet")' true
[[ $release =~ ^sha256:[0-9a-f]{64}$ ]] || fail "the release is $release"
status_get .at | grep -E '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z$' >/dev/null || fail "at is $(status_get .at)"
cmp -s <(jq -S . "$FLEET/state/status.json") <(ledger_git show tally/web1:status.json | jq -S .) ||
        fail 'the ledger has another status.json'
proved 'status.json has every fixed key, here and in the ledger'

last=$(ledger_git ls-tree -r --name-only tally/web1 evidence | sort | tail -n 1)
status_is .ledger.head "$(ledger_git show "tally/web1:$last" | sha256sum | cut -d' ' -f1)"
status_is .ledger.sequence "$(($(ledger_git ls-tree -r --name-only tally/web1 evidence | wc -l) - 1))"
proved 'status.json names the last record and its digest'

same "$release" "$(jq -r '.. | .release? // empty' "$FLEET/state/sticker.json" | sort -u)" 'the sticker'
cmp -s <(jq -S . "$FLEET/state/sticker.json") <(ledger_git show tally/web1:sticker.json | jq -S .) || fail 'another sticker in the ledger'
same "$(git -C "$FLEET/checkout" rev-parse HEAD) recreate" "$(jq -r '.apps[0].deployment | "\(.commit) \(.strategy)"' "$FLEET/state/sticker.json")" 'how it came here'
proved 'the sticker says what is deployed, and how it came here'

artifact=$(records 'select(.record.recordType == "decision") | .record.plan.artifact' | sed 's/^sha256://')
ledger_git show "tally/web1:artifacts/$artifact" >"$RIG/artifact"
same "$(sha256sum <"$RIG/artifact" | cut -d' ' -f1)" "$artifact" 'digest of the artifact'
for file in $(ledger_git ls-tree -r --name-only tally/web1 artifacts worlds); do
        name=${file##*/}
        same "${name%.json}" "$(ledger_git show "tally/web1:$file" | sha256sum | cut -d' ' -f1)" "digest of $file"
done
grep -qF "$one" "$RIG/artifact" || fail 'the artifact does not pin the image'
proved 'the locked compose file lies in the ledger under its digest'

same "genesis decision intent result" "$(record_kinds)" 'records'
same "$(ledger_git rev-parse tally/web1)" "$(git -C "$FLEET/fleet.git" rev-parse tally/web1)" 'the pushed ledger'
proved 'genesis, decision, intent and result are pushed to branch tally/web1'

#
# Promotion
#

fleet_git -C "$FLEET/checkout" switch -q -c promote
fleet_release shop 1.1 "web=$two"
fleet_git -C "$FLEET/checkout" add -A
fleet_git -c user.signingkey="$FLEET/keys/alice" -C "$FLEET/checkout" commit -q -S -m 'shop 1.1'
fleet_git -C "$FLEET/checkout" switch -q main
fleet_git -c user.signingkey="$FLEET/keys/alice" -C "$FLEET/checkout" merge -q --no-ff -S -m 'promote shop 1.1' promote
fleet_git -C "$FLEET/checkout" push -q origin HEAD:main
expect 3 tally diff
expect 0 tally pass
same "$api" "$(instance_of shop api)" 'the service that did not change'
[ "$web" != "$(instance_of shop web)" ] || fail 'the changed service was not replaced'
same two "$(inside "$(instance_of shop web)" /www/index.html)" 'what the new container serves'
same 2 "$(instances | wc -l)" 'containers left'
status_is '.apps[0].running.version' 1.1
status_is .state converged
proved 'promotion by a signed merge replaces the changed service alone'

#
# The ledger, by other people's tools
#

printf 'web1 namespaces="git" %s\n' "$(cut -d' ' -f1,2 "$FLEET/state/id_ed25519.pub")" >"$RIG/signers"
n=0
for commit in $(git -C "$FLEET/fleet.git" rev-list tally/web1); do
        OUT=$(git -c gpg.format=ssh -c gpg.ssh.allowedSignersFile="$RIG/signers" -C "$FLEET/fleet.git" verify-commit "$commit" 2>&1) ||
                fail "git verify-commit $commit"
        [ "$(git -C "$FLEET/fleet.git" rev-list --parents -n 1 "$commit" | wc -w)" -le 2 ] || fail "$commit is a merge"
        n=$((n + 1))
done
[ "$n" -ge 4 ] || fail "only $n commits"
proved 'every commit of the ledger has one parent and verifies with git verify-commit'

cat >"$RIG/pae.py" <<'PYTHON'
import base64, hashlib, json, sys
envelope = json.load(open(sys.argv[1]))
payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
assert kind == b"application/vnd.in-toto+json"
open(sys.argv[2], "wb").write(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
signature, = envelope["signatures"]
open(sys.argv[3], "wb").write(base64.b64decode(signature["sig"]))
key = base64.b64decode(open(sys.argv[4]).read().split()[1])
assert signature["keyid"] == "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
der = bytes.fromhex("302a300506032b6570032100") + key[-32:]
open(sys.argv[5], "w").write("-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(der).decode())
statement = json.loads(payload)
assert statement["_type"] == "https://in-toto.io/Statement/v1" and statement["predicateType"] == "urn:tallyman:record:v1"
prev = (statement["predicate"]["prev"] or {}).get("sha256")
want = hashlib.sha256(open(sys.argv[6], "rb").read()).hexdigest() if len(sys.argv) > 6 else None
assert want is None or prev == want, (prev, want)
PYTHON
before=()
for file in $(ledger_git ls-tree -r --name-only tally/web1 evidence | sort); do
        ledger_git show "tally/web1:$file" >"$RIG/record"
        python3 "$RIG/pae.py" "$RIG/record" "$RIG/pae" "$RIG/sig" "$FLEET/state/id_ed25519.pub" "$RIG/key.pem" \
                "${before[@]}" || fail "$file is not what it should be"
        OUT=$(openssl pkeyutl -verify -pubin -inkey "$RIG/key.pem" -rawin -in "$RIG/pae" -sigfile "$RIG/sig" 2>&1) ||
                fail "openssl pkeyutl: $file"
        mv "$RIG/record" "$RIG/before"
        before=("$RIG/before")
done
proved 'every record is a DSSE envelope that openssl verifies, chained by the digest of the one before'

if command -v cosign >/dev/null; then
        file=$(ledger_git ls-tree -r --name-only tally/web1 evidence | grep result | tail -n 1)
        ledger_git show "tally/web1:$file" >"$RIG/record"
        digest=$(jq -r '.payload | @base64d | fromjson | .subject[0].digest.sha256' "$RIG/record")
        ledger_git show "tally/web1:artifacts/$digest" >"$RIG/subject"
        # As docs/ledger.md says.
        cosign_takes() {
                cosign verify-blob-attestation --key "$RIG/key.pem" --type urn:tallyman:record:v1 --private-infrastructure \
                        --signature "$1" "$2" 2>&1
        }
        OUT=$(cosign_takes "$RIG/record" "$RIG/subject") || fail 'cosign verify-blob-attestation'
        jq -c '.payload |= (@base64d | sub("\"seq\":"; "\"seq\":1") | @base64)' "$RIG/record" >"$RIG/forged"
        ! OUT=$(cosign_takes "$RIG/forged" "$RIG/subject") || fail 'cosign takes a forged record'
        echo >>"$RIG/subject"
        ! OUT=$(cosign_takes "$RIG/record" "$RIG/subject") || fail 'cosign takes the record for another file'
        proved 'cosign verifies a record, and neither a forged one nor one about another file'
else
        echo 'ok - cosign verifies a record, and neither a forged one nor one about another file # SKIP there is no cosign here'
fi

n=0
for sequence in $(records 'select(.record.recordType == "decision") | .record.seq'); do
        expect 0 tally replay "$sequence"
        expect_text 'byte for byte'
        n=$((n + 1))
done
[ "$n" = 2 ] || fail "$n decisions were replayed"
proved 'every decision can be replayed from its world, byte for byte'

expect 0 tally history shop
expect_text '1.0 → 1.1'
expect 0 tally --json history
jq -e . <<<"$OUT" >/dev/null || fail 'no JSON'
expect 0 tally explain shop
expect_text 1.1
expect 0 tally doctor
proved 'history, explain and doctor tell the same story'

#
# Nothing to do
#

head=$(ledger_git rev-parse tally/web1)
ids=$(instances | cut -f1)
engine_changes=$(engine_api GET "/events?since=0&until=$(date +%s)" | wc -l)
for ((i = 0; i < 200; i++)); do
        tally --quiet pass || fail "quiet pass $i ended with $?"
done
rm -f "$FLEET/state/quiet.json"
for ((i = 0; i < 10; i++)); do
        rm -f "$FLEET/state/quiet.json"
        tally --quiet pass || fail "full pass $i ended with $?"
done
same "$head" "$(ledger_git rev-parse tally/web1)" 'head of the ledger'
same "$ids" "$(instances | cut -f1)" 'containers'
same "$engine_changes" "$(engine_api GET "/events?since=0&until=$(date +%s)" | wc -l)" 'events of the engine'
proved '200 quiet passes and 10 full ones change nothing: no record, no container, no call that changes the engine'

#
# Multi-platform index
#

fleet_app multi "web=$index"
app_settings multi
fleet_release multi 1 "web=$index"
fleet_commit 'an index'
expect 0 tally sync --timeout 120s
web=$(instance_of multi web)
for ((i = 0; i < 20; i++)); do
        rm -f "$FLEET/state/quiet.json"
        expect 0 tally pass
done
expect 0 tally diff
same "$web" "$(instance_of multi web)" 'the container of the index'
status_is '[.apps[].drift[]] | length' 0
engine_restart "$RIG/engine"
engine_api POST "/containers/$web/start" >/dev/null
expect 0 tally pass
proved 'an index of several platforms, pinned by its own digest, is never seen as drift'
