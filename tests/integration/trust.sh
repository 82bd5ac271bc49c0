#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Who may say what runs here: commits that must be refused, and those that look alike and must not be.
#
#   trust.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig
signers=$FLEET/checkout/trust/allowed_signers

# signer NAME [OPTIONS]: NAME's line of allowed_signers
signer() {
        printf '%s@example.org %s %s\n' "$1" "${2:-namespaces=\"git\"}" "$(cut -d' ' -f1,2 "$FLEET/keys/$1.pub")"
}

# without_signature COMMIT: what was signed; signature_of COMMIT: the header with the signature
without_signature() {
        remote_git cat-file commit "$1" | awk 'body { print; next } /^gpgsig / { skip = 1; next } skip && /^ / { next } { skip = 0; print } /^$/ { body = 1 }'
}
signature_of() {
        remote_git cat-file commit "$1" | awk '/^$/ { exit } /^gpgsig / { on = 1; print; next } on && /^ / { print; next } { on = 0 }'
}

# raw_tip <OBJECT: the server's branch is now this commit object, whatever it holds
raw_tip() {
        local id
        id=$(remote_git hash-object -w --stdin -t commit --literally)
        remote_git update-ref refs/heads/main "$id"
}

# sign KEY [NAMESPACE] <PAYLOAD: the commit object, as git would make it
sign() {
        cat >"$RIG/payload"
        ssh-keygen -q -Y sign -n "${2:-git}" -f "$FLEET/keys/$1" <"$RIG/payload" 2>/dev/null >"$RIG/armour"
        awk -v armour="$RIG/armour" 'body { print; next }
                /^$/ { body = 1; lead = "gpgsig "; while ((getline line <armour) > 0) { print lead line; lead = " " } }
                { print }' "$RIG/payload"
}

fleet_commit 'the shop'
accepted 'the pinned root of trust accepts the first commit' 1
good=$(tip)

# mend: the work tree and the server are back at what is accepted
mend() {
        back_to "$good"
}

#
# Signatures
#

fake_release 2
fleet_commit 'an unsigned release' ''
refused TRUST_UNSIGNED 'an unsigned commit is refused'
expect_text 'git commit --amend -S'
proved 'the refusal says how to sign'
had=$(count_records refusal)
expect 4 tally pass
expect 4 tally pass
same "$had" "$(count_records refusal)" 'refusals in the ledger'
same TRUST_UNSIGNED "$(status_get .desired.refusal.code)" 'the refusal'
proved 'a refusal is recorded once, and stays in the status'
mend
accepted 'after a reset to the accepted commit all is well again' 1

fake_release 2
fleet_commit 'by a stranger' mallory
refused TRUST_UNKNOWN_SIGNER 'a commit signed by an unknown key is refused'
mend

fake_release 2
fleet_commit 'two'
two=$(tip)
remote_git cat-file commit "$two" | sed "s/^two$/three/" | raw_tip
refused TRUST_BAD_SIGNATURE 'a commit that was changed after it was signed is refused'

fake_release 3
work add -A
tree=$(work write-tree)
force "$two"
work push -q -f origin "$(work commit-tree -m tree "$tree"):refs/heads/scratch"
remote_git cat-file commit "$two" | sed "s/^tree .*/tree $tree/" | raw_tip
refused TRUST_BAD_SIGNATURE 'a valid signature that was moved to another tree is refused'

without_signature "$two" | sign alice file | raw_tip
refused TRUST_NAMESPACE 'a signature made in another namespace is refused'

# The keys of ssh-agent and git are fine together with any text in the message.
without_signature "$two" | sed 's/^two$/gpgsig in the message/' | sign alice | raw_tip
accepted 'a message may speak of gpgsig' 2
good=$(tip)
work fetch -q origin main
mend

#
# The traps of gpgsig: what some readers take for signed, and git does not
#

without_signature "$good" >"$RIG/payload.good"
signature_of "$good" >"$RIG/signature.good"
sed "s/^parent .*/parent $good/" "$RIG/payload.good" >"$RIG/payload.next"

ssh-keygen -q -Y sign -n git -f "$FLEET/keys/alice" <"$RIG/payload.next" 2>/dev/null | sed '1s/^/gpgsig /; 1!s/^/ /' >"$RIG/signature.next"
cat "$RIG/payload.next" "$RIG/signature.next" | raw_tip
refused TRUST_UNSIGNED 'a gpgsig block in the message is no signature'

{ sign alice <"$RIG/payload.next"; printf '\0evil'; } | raw_tip
refused TRUST_BAD_OBJECT 'bytes behind a NUL are refused'

sign alice <"$RIG/payload.next" | sed '/^committer /a gpgsigned-by nobody' | raw_tip
refused TRUST_BAD_OBJECT 'a header that begins like gpgsig is refused'

sign alice <"$RIG/payload.next" | awk '/^$/ && !body { body = 1; while ((getline line <"'"$RIG/signature.good"'") > 0) print line } { print }' | raw_tip
refused TRUST_BAD_OBJECT 'two signatures are refused'

sign alice <"$RIG/payload.next" | sed 's/^gpgsig /gpgsig-sha256 /' | raw_tip
refused TRUST_BAD_OBJECT 'a signature for another kind of repository is refused'

sign alice <"$RIG/payload.next" | sed '/^committer /a x-unknown header' | raw_tip
refused TRUST_BAD_OBJECT 'a header that git does not know is refused'

sign alice <"$RIG/payload.next" | sed 's/^\(author .*\)/\1\n\1/' | raw_tip
refused TRUST_BAD_OBJECT 'a header that comes twice is refused'

sed 's/^$/gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n/; t' "$RIG/payload.next" | raw_tip
refused TRUST_BAD_SIGNATURE 'a signature that is none is refused'
mend

#
# The range
#

fake_release 3
fleet_commit 'hidden' mallory
bad=$(tip)
fake_release 4
fleet_commit 'a good tip'
refused TRUST_UNKNOWN_SIGNER 'a bad commit below a good tip is refused'
expect_text "${bad:0:12}"
proved 'the refusal names the bad commit'
mend

parent=$(work rev-parse "$good^")
force "$parent"
refused TRUST_REWIND 'a branch that went back is refused'
force "$good"
expect 0 tally pass
same null "$(status_get .desired.refusal)" 'the refusal after the rewind'
proved 'the accepted commit is accepted again after a rewind'

work reset -q --hard "$parent"
fake_release 5
work add -A
as alice commit -q -m 'sideways'
force
refused TRUST_REWIND 'a branch that was rewritten is refused, though everything on it is signed'
mend

fake_release 3
GIT_COMMITTER_DATE=@$(($(date +%s) + 86400)) fleet_commit 'tomorrow'
refused TRUST_FUTURE 'a commit from tomorrow is refused'
mend
fake_release 3
GIT_COMMITTER_DATE=@$(($(date +%s) + 60)) fleet_commit 'in a minute'
accepted 'a clock that is a minute off does no harm' 3
good=$(tip)

#
# Keys that come and go
#

signer bob >>"$signers"
fleet_commit 'bob adds himself' bob
refused TRUST_UNKNOWN_SIGNER 'nobody can add himself'
mend

signer bob 'namespaces="file"' >>"$signers"
fleet_commit 'bob may sign files'
accepted 'a key for another namespace may be listed'
good=$(tip)
fleet_commit 'bob signs a commit' bob
refused TRUST_NAMESPACE 'a key whose line is for another namespace is refused'
mend

{ signer alice; signer bob 'namespaces="git",valid-before="20200101Z"'; } >"$signers"
fleet_commit 'bob was with us'
accepted 'an expired key may be listed'
good=$(tip)
fleet_commit 'bob is late' bob
refused TRUST_EXPIRED 'a commit by an expired key is refused'
mend
GIT_COMMITTER_DATE='2019-06-01T00:00:00Z' fleet_commit 'bob was in time' bob
refused TRUST_EXPIRED 'a back-dated commit by an expired key is refused'
mend

{ signer alice; signer bob; } >"$signers"
fleet_commit 'bob is with us'
accepted 'alice adds bob'
same 'sha256:' "$(last_record trust-change '.trust.to[:7]')" 'the record of the trust that changed'
fake_release 4
fleet_commit 'by bob' bob
accepted 'then bob signs' 4
good=$(tip)
work branch -f before-removal

signer bob >"$signers"
fleet_commit 'alice leaves' bob
fake_release 5
fleet_commit 'alice is not gone'
refused TRUST_REVOKED 'a removed key cannot sign in the range that removed it'
mend

signer alice >"$signers"
fleet_commit 'bob leaves'
accepted 'alice removes bob'
good=$(tip)
fake_release 5
fleet_commit 'bob is not gone' bob
refused TRUST_REVOKED 'a removed key is refused, and said to be removed'
mend

work switch -q -C side before-removal
fake_release 5
work add -A
as bob commit -q -m 'from before'
work switch -q -C main "$good"
as alice merge -q --no-ff -m 'merge what bob did' side
force
refused TRUST_REVOKED 'a removed key does not come back through a branch from before'
mend

cp "$FLEET/keys/alice.pub" "$signers"
fleet_commit 'a malformed file'
refused TRUST_SIGNERS_INVALID 'a malformed allowed_signers is refused'
expect_text 'trust/allowed_signers:1:'
proved 'the refusal says where it is malformed'
signer alice >"$signers"
fleet_commit 'repaired behind it'
refused TRUST_SIGNERS_INVALID 'a commit behind it does not repair it'
mend

printf 'ren\xe9@example %s\n' "$(cut -d' ' -f1,2 "$FLEET/keys/bob.pub")" >>"$signers"
fleet_commit 'a principal in Latin-1'
refused TRUST_SIGNERS_INVALID 'a principal that is not UTF-8 is refused'
expect_text 'trust/allowed_signers:2:1: '
mend

work rm -q trust/allowed_signers
fleet_commit 'nobody'
refused TRUST_SIGNERS_INVALID 'a commit without allowed_signers is refused'
mend

cp "$signers" "$FLEET/checkout/trust/real"
ln -sf real "$signers"
fleet_commit 'a link'
refused TRUST_SIGNERS_INVALID 'allowed_signers that is a link is refused'
mend

signer bob 'namespaces="file"' >"$signers"
fleet_commit 'nobody is left'
refused TRUST_SIGNERS_INVALID 'allowed_signers that leaves nobody is refused'
mend

#
# Merges
#

{ signer alice; signer bob; } >"$signers"
fleet_commit 'bob is back'
accepted 'bob is back'
good=$(tip)

work switch -q -C side
fake_release 5
work add -A
as bob commit -q -m 'five, by bob'
work switch -q main
as alice merge -q --no-ff -m 'merge five' side
force
accepted 'a merge of a branch of somebody else is accepted' 5
good=$(tip)

work switch -q -C side
fake_release 6
work add -A
as bob commit -q -m 'six, by bob'
work switch -q main
echo one >"$FLEET/checkout/README"
fleet_commit 'main goes on'
work switch -q side
as bob merge -q --no-ff -m 'main into side' main
force
accepted 'a merge whose first parent is the side branch is accepted' 6
work switch -q -C main
good=$(tip)

work switch -q -C side
fake_release 7
work add -A
as mallory commit -q -m 'seven, by mallory'
work switch -q main
as alice merge -q --no-ff -m 'merge seven' side
force
refused TRUST_UNKNOWN_SIGNER 'a merge that brings in a bad commit is refused'
mend

work switch -q -C side "$good"
fake_release 7
work add -A
as mallory commit -q -m 'seven, by mallory'
work switch -q -C main "$good"
echo two >"$FLEET/checkout/README"
fleet_commit 'main goes on'
work switch -q side
as alice merge -q --no-ff -m 'main into the bad side' main
force
refused TRUST_UNKNOWN_SIGNER 'a bad commit as the first parent of a merge is refused'
work switch -q -C main "$good"
mend

#
# Trees
#

ln -s compose.yaml "$FLEET/checkout/apps/shop/link.yaml"
rm "$FLEET/checkout/apps/shop/app.yaml"
ln -s compose.yaml "$FLEET/checkout/apps/shop/app.yaml"
fleet_commit 'a link as a document'
refused LOAD_INVALID 'a document that is a link is refused' 2
expect_text 'apps/shop/app.yaml'
mend

ln -s web1.yaml "$FLEET/checkout/hosts/web2.yaml"
fleet_commit 'a link as a host'
refused LOAD_INVALID 'a host that is a link is refused' 2
mend

work update-index --add --cacheinfo "160000,$good,hosts/more.yaml"
as alice commit -q -m 'a submodule as a host'
force
refused LOAD_INVALID 'a host that is a submodule is refused' 2
mend

#
# Replaced, grafted, shallow
#

fake_release 7
fleet_commit 'not ours' mallory
evil=$(tip)
for trick in replace grafts shallow; do
        expect 4 tally pass
        mirror=$FLEET/state/desired.git
        case $trick in
        replace)
                git --git-dir="$mirror" fetch -q "$FLEET/fleet.git" "$evil"
                git --git-dir="$mirror" update-ref "refs/replace/$evil" "$good"
                ;;
        grafts)
                mkdir -p "$mirror/info"
                echo "$evil" >"$mirror/info/grafts"
                ;;
        shallow) echo "$evil" >"$mirror/shallow" ;;
        esac
        expect 4 tally pass
        same TRUST_UNKNOWN_SIGNER "$(status_get .desired.refusal.code)" "$trick: the code of the refusal"
        same "$good" "$(status_get .desired.accepted)" "$trick: the accepted commit"
        same 6 "$(running)" "$trick: what runs"
        [ ! -e "$mirror/shallow" ] && [ ! -s "$mirror/info/grafts" ] && [ ! -e "$mirror/refs/replace/$evil" ] ||
                fail "$trick is still in the mirror"
        proved "$trick in the mirror does not help, and is fetched away"
done
mend

git clone -q --bare --depth 1 "file://$FLEET/fleet.git" "$RIG/shallow.git"
sed "s,^repository: .*,repository: \"$RIG/shallow.git\"," "$FLEET/etc/tally.yaml" >"$FLEET/etc/shallow.yaml"
expect 4 "$TALLY" --config "$FLEET/etc/shallow.yaml" pass
expect_text shallow
same "$good" "$(status_get .desired.accepted)" 'the accepted commit'
proved 'a remote that is shallow is refused'
expect 0 tally pass

#
# First contact
#

# another_host ROOT: exit code of the first pass of a host that trusts this
another_host() {
        rm -rf "$RIG/other"
        mkdir "$RIG/other"
        cp "$1" "$RIG/other/allowed_signers"
        sed "s,^trust: .*,trust: \"$RIG/other/allowed_signers\",; s,^state: .*,state: \"$RIG/other/state\",; s,^host: .*,host: web2," \
                "$FLEET/etc/tally.yaml" >"$RIG/other/tally.yaml"
        "$TALLY" --config "$RIG/other/tally.yaml" pass
}
signer mallory >"$RIG/root"
expect 4 another_host "$RIG/root"
same TRUST_UNKNOWN_SIGNER "$(jq -r .desired.refusal.code "$RIG/other/state/status.json")" 'the code of the refusal'
same null "$(jq -r .desired.accepted "$RIG/other/state/status.json")" 'the accepted commit'
proved 'a root of trust that does not know the tip refuses it at first contact'

{ signer alice; echo 'this is no line'; } >"$RIG/root"
expect 2 another_host "$RIG/root"
expect_text 'allowed_signers:2:'
proved 'a malformed root of trust is a fault of the configuration, with its position'

rm -f "$RIG/root"; : >"$RIG/root"
expect 2 another_host "$RIG/root"
proved 'an empty root of trust is a fault of the configuration'

#
# A tip that is no commit: no configuration is wrong, and what runs is looked after
#

before=$(status_get .desired.accepted)
for object in blob tree; do
        back_to "$good"
        expect 0 tally pass
        case $object in
        blob) wrong=$(echo x | remote_git hash-object -w --stdin) ;;
        tree) wrong=$(remote_git rev-parse "$good^{tree}") ;;
        esac
        echo "$wrong" >"$FLEET/fleet.git/refs/heads/main"
        fake_set '.instances[0].state = "exited"'
        expect 4 tally pass
        same "$before" "$(status_get .desired.accepted)" "a $object: the accepted commit"
        same running "$(fake '.instances[0].state')" "a $object: the instance that had stopped"
        proved "a tip that is a $object is refused, and drift is repaired meanwhile"
        echo "$good" >"$FLEET/fleet.git/refs/heads/main"
done

#
# Amnesia: the state is lost, and the server shows something older
#

older=$(work rev-parse "$good~2")
signer=$(last_record refusal .desired.signer.principal)
for lost in state key; do
        back_to "$good"
        expect 0 tally pass
        rm -rf "$RIG/kept"
        mkdir "$RIG/kept"
        cp "$FLEET"/state/id_ed25519* "$RIG/kept/"
        cp "$FLEET/state/fake/world.json" "$RIG/kept/"
        rm -rf "$FLEET/state"
        mkdir -m 700 "$FLEET/state"
        mkdir -p "$FLEET/state/fake" && cp "$RIG/kept/world.json" "$FLEET/state/fake/"
        [ "$lost" = key ] || cp "$RIG/kept"/id_ed25519* "$FLEET/state/"
        force "$older"
        expect 4 tally pass
        same TRUST_REWIND "$(status_get .desired.refusal.code)" "lost $lost: the code of the refusal"
        # With the key the ledger is the host's own word. Without it the ledger is a floor, and nothing is accepted yet.
        case $lost in
        state) accepted=$good by="$good $signer" ;;
        key) accepted=null by='null null' ;;
        esac
        same "$accepted" "$(status_get .desired.accepted)" "lost $lost: the accepted commit"
        same 6 "$(running)" "lost $lost: what runs"
        [ -n "$(last_record gap-declared)" ] || fail "lost $lost: no gap is declared"
        same "$by" "$(last_record refusal '"\(.desired.commit) \(.desired.signer.principal)"')" "lost $lost: what the record says is accepted"
        proved "a host that lost its $lost learns from the ledger how far history had come, and refuses what is older"
        force "$good"
        case $lost in
        state) expect 0 tally pass ;;
        key)
                expect 4 tally pass
                same TRUST_UNKNOWN_SIGNER "$(status_get .desired.refusal.code)" 'a pinned root from before the signers changed'
                work show "$good:trust/allowed_signers" >"$FLEET/etc/allowed_signers"
                expect 4 tally pass
                same HOST_KEY_MISMATCH "$(status_get .blocked.code)" 'a host with a new key'
                same null "$(status_get .desired.refusal)" 'the refusal'
                ;;
        esac
        same "$good" "$(status_get .desired.accepted)" "lost $lost: the accepted commit"
        proved "and goes on with lost $lost when the server shows what is accepted"
done

sed -i "s,^key: .*,key: $(cut -d' ' -f1,2 "$FLEET/state/id_ed25519.pub")," "$FLEET/checkout/hosts/web1.yaml"
fleet_commit 'the new key of web1'
expect 0 tally pass
same 6 "$(running)" 'what runs'
[ "$(count_records key-rotation)" = 1 ] || fail 'the new key is not in the ledger'
proved 'the new key is merged, and the host works again'

good=$(tip)
for lost in missing broken; do
        back_to "$good"
        expect 0 tally pass
        rm "$FLEET/state/accepted.json"
        [ "$lost" = missing ] || echo '{"commit": "' >"$FLEET/state/accepted.json"
        force "$older"
        refused TRUST_REWIND "an accepted.json that is $lost does not let an older commit in"
        back_to "$good"
        accepted 'and the right one is still accepted' 6
done
