#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A release that failed is tried again by a signed permission, once, and by nothing else.
#
#   retry.sh TALLY

set -euo pipefail

TALLY=$(realpath "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig

# signers NAMESPACES: trust/allowed_signers with alice for these; bob signs commits only
signers() {
        printf '%s namespaces="%s" %s\n' \
                alice@example.org "$1" "$(cut -d' ' -f1,2 "$FLEET/keys/alice.pub")" \
                bob@example.org git "$(cut -d' ' -f1,2 "$FLEET/keys/bob.pub")" >"$FLEET/checkout/trust/allowed_signers"
}

# failing VERSION YES/NO: whether the fake runtime lets it become healthy
failing() {
        case $2 in
        yes) fake_set ".start[\"shop/web@$1\"] = {\"health\": \"unhealthy\"}" ;;
        no) fake_set "del(.start[\"shop/web@$1\"])" ;;
        esac
}

# tries VERSION: how often an instance of it was created
tries() {
        fake "[.trace[]? | select(startswith(\"create shop/web\") and endswith(\" $1\"))] | length"
}

# poisoned VERSION: merged, fails, is taken back; its id is in $BAD and its folder in $PLACE
poisoned() {
        failing "$1" yes
        release "$1"
        expect 5 tally pass
        BAD=$(status_get '.apps[0].desired.release')
        same "$BAD" "$(status_get '.apps[0].poisoned[-1]')" "release $1 is poisoned"
        PLACE=approvals/prod/shop/${BAD#sha256:}
}

# statement JQ: the statement of the release in $PLACE as `tally retry` writes it, changed by JQ; without signatures
statement() {
        rm -rf "$FLEET/checkout/$PLACE"
        expect 0 "$TALLY" --quiet retry --dir "$FLEET/checkout" "$BAD" --reason 'the database was down'
        rm -f "$FLEET/checkout/$PLACE"/*.sig
        jq "${1:-.}" "$FLEET/checkout/$PLACE/statement.json" >"$RIG/statement"
        cp "$RIG/statement" "$FLEET/checkout/$PLACE/statement.json"
}

# sign KEY NAMESPACE PRINCIPAL: by stock means
sign() {
        ssh-keygen -q -Y sign -f "$FLEET/keys/$1" -n "$2" <"$FLEET/checkout/$PLACE/statement.json" \
                >"$FLEET/checkout/$PLACE/$3.sig" 2>/dev/null
}

# does_not_count TEXT WHAT: merged, `tally check` and status say TEXT, and nothing is tried
does_not_count() {
        local before
        before=$(tries_and_running)
        expect 0 "$TALLY" check "$FLEET/checkout"
        expect_text "warning: $PLACE"
        expect_text "$1"
        fleet_commit "a retry: $2"
        expect 5 tally pass
        OUT=$(status_get '.desired.accepted, .apps[0].refused_retries[0].message, (.apps[0].gates[] | select(.gate == "poison") | .message, .reasons[])')
        expect_text "$(tip)"
        expect_text "$1"
        expect_text RETRY_INVALID
        expect 5 tally pass
        same "$before" "$(tries_and_running)" "$2: tries of release 2, and what runs"
        proved "$2 does not count, and is told"
}
tries_and_running() {
        fake '[.trace[]? | select(startswith("create shop/web") and endswith(" 2"))] as $tries |
                "\($tries | length) tries, runs: \([.instances[]? | select(.state == "running") | .version] | join(" "))"'
}

signers git
fleet_commit 'bob is here, too'
converges 1 'release 1'
poisoned 2
same 1 "$(tries 2)" 'tries of the bad release'
same 1 "$(running)" 'what runs'

#
# Nothing but a retry
#

for ((i = 0; i < 5; i++)); do
        expect 5 tally pass
done
rm -rf "$FLEET/state/desired.git"
expect 5 tally pass
echo 'anything' >"$FLEET/checkout/README.md"
fleet_commit 'another commit, the same release'
expect 5 tally pass
same 1 "$(tries 2)" 'tries after polls, a new mirror and another commit'
proved 'polls, restarts and other commits do not try a poisoned release again'

failing 2 no
expect 5 tally pass
same 1 "$(tries 2)" 'tries after the cause is gone'
proved 'nor does it help that the cause is gone'
failing 2 yes

#
# What does not count
#

expect 0 "$TALLY" retry --dir "$FLEET/checkout" "$BAD"
expect_text 'lets nobody sign approvals'
expect 4 "$TALLY" retry --dir "$FLEET/checkout" "$BAD" --sign "$FLEET/keys/alice"
expect_text 'not good for this namespace'
rm -rf "$FLEET/checkout/approvals"
proved 'tally retry says that nobody may sign yet'

statement
sign alice approval@tallyman alice@example.org
does_not_count 'is not good for this namespace' "a retry by a key whose line is for namespaces=\"git\""
status_is '.apps[0].refused_retries[0].hint | contains("namespaces=\"git,approval@tallyman\"")' true

signers git,approval@tallyman
statement
does_not_count 'no signature stands beside it' 'a statement that nobody signed'
statement
sign alice git alice@example.org
does_not_count "signed for namespace 'git'" 'a signature for another namespace'
statement
sign mallory approval@tallyman mallory@example.org
does_not_count 'no line of trust/allowed_signers allows the key' 'a retry by somebody unknown'
statement
sign alice approval@tallyman bob@example.org
does_not_count 'is of alice@example.org, not of bob@example.org' "a retry by alice in bob's name"
statement
sign alice approval@tallyman alice@example.org
sed -i 's/the database/the dog/' "$FLEET/checkout/$PLACE/statement.json"
does_not_count 'alice@example.org.sig' 'a statement that was changed after it was signed'
other=sha256:$(printf other | sha256sum | cut -d' ' -f1)
statement ".release = \"$other\""
sign alice approval@tallyman alice@example.org
does_not_count "about release $other" "a retry for another release"
statement '.environment = "test"'
sign alice approval@tallyman alice@example.org
does_not_count 'about environment test' 'a retry for another environment'
statement '.fleet = "other"'
sign alice approval@tallyman alice@example.org
does_not_count 'about fleet other' 'a retry for another fleet'
statement '. + {"environments": ["prod"]}'
sign alice approval@tallyman alice@example.org
does_not_count 'statement.json:' 'a statement with a key that there is not'
OUT=$(status_get '.apps[0].refused_retries[0].message')
[[ $OUT =~ statement\.json:[0-9]+:[0-9]+:.*environments ]] || fail 'the message has no line and column'
statement '.at = "2999-01-01T00:00:00Z" | .expires = "2999-01-02T00:00:00Z"'
sign alice approval@tallyman alice@example.org
does_not_count 'in the future' 'a statement of the future'
statement
echo '{"fleet":' >"$FLEET/checkout/$PLACE/statement.json"
does_not_count 'statement.json:' 'a statement that is no JSON'
rm -rf "${FLEET:?}/checkout/$PLACE"
mkdir -p "$FLEET/checkout/$PLACE"
ln -s ../../../../fleet.yaml "$FLEET/checkout/$PLACE/statement.json"
does_not_count 'is no regular file' 'a statement that is a symbolic link'
rm "$FLEET/checkout/$PLACE/statement.json"
head -c 70000 /dev/zero | tr '\0' ' ' >"$FLEET/checkout/$PLACE/statement.json"
does_not_count 'more than 65536 bytes' 'a statement that is too large'

# Read well, but without effect: not told as refused, but at the gate.
statement '.at = "2020-01-01T00:00:00Z" | .expires = "2020-01-02T00:00:00Z"'
sign alice approval@tallyman alice@example.org
fleet_commit 'an expired retry'
expect 5 tally pass
status_is '.apps[0].retries[0] | "\(.state) \(.principal) \(.reason)"' 'expired alice@example.org the database was down'
OUT=$(status_get '.apps[0].gates[] | select(.gate == "poison") | .message')
expect_text 'the retry that alice@example.org signed expired at 2020-01-02T00:00:00Z'
same 1 "$(tries 2)" 'tries by an expired retry'
proved 'an expired retry does not count'

statement '.meaning = "approve"'
sign alice approval@tallyman alice@example.org
fleet_commit 'an approval is no retry'
expect 5 tally pass
status_is '.apps[0] | .retries, .refused_retries' $'null\nnull'
same 1 "$(tries 2)" 'tries by an approval'
proved 'a statement with another meaning is no retry'

#
# What counts
#

# The way that the manual shows: stock ssh-keygen on what `tally retry` wrote and printed.
expect 0 env -C "$FLEET/checkout" "$TALLY" --json retry shop@2 --reason 'the database is back' --as alice@example.org
same "$PLACE/statement-retry.json" "$(jq -r .statement <<<"$OUT")" 'a statement beside one with another meaning'
command=$(jq -r .command <<<"$OUT")
[[ $command == *' ~/.ssh/id_ed25519 '* ]] || fail "the command names no key: $command"
(cd "$FLEET/checkout" && bash -c "${command/\~\/.ssh\/id_ed25519/$FLEET/keys/alice}" 2>/dev/null)
ssh-keygen -q -Y verify -f "$FLEET/checkout/trust/allowed_signers" -I alice@example.org -n approval@tallyman \
        -s "$FLEET/checkout/$PLACE/statement-retry.alice@example.org.sig" <"$FLEET/checkout/$PLACE/statement-retry.json" >/dev/null ||
        fail 'ssh-keygen does not verify it'
expect 0 "$TALLY" check "$FLEET/checkout"
case $OUT in *warning*) fail 'check warns of a good retry' ;; esac
fleet_commit 'a retry'
expect 5 tally pass
same 2 "$(tries 2)" 'tries after a retry'
same 1 "$(running)" 'what runs after a retry that failed'
status_is '.apps[0].retries[0].state' used
status_is '.apps[0].poisoned | join(" ")' "$BAD"
for ((i = 0; i < 3; i++)); do
        expect 5 tally pass
done
echo 'something else' >"$FLEET/checkout/README.md"
fleet_commit 'another commit with the same retry'
expect 5 tally pass
same 2 "$(tries 2)" 'tries after more passes'
OUT=$(status_get '.apps[0].gates[] | select(.gate == "poison") | .message')
expect_text 'the retry that alice@example.org signed is used up'
proved 'a signed retry is good for one try, and a second failure poisons the release again'

failing 2 no
expect 0 "$TALLY" retry --dir "$FLEET/checkout" "${BAD:0:20}" --sign "$FLEET/keys/alice"
expect_text 'Commit both files'
fleet_commit 'a second retry'
expect 0 tally pass
same 2 "$(running)" 'what runs after the second retry'
status_is '.apps[0].poisoned | length' 0
same 3 "$(tries 2)" 'tries'
expect 0 tally pass
proved 'a second retry, signed by tally, brings the release'
same 2 "$(records 'select(.record.retry) | .record.retry.id' | sort -u | wc -l)" 'retries in the records of decisions'
same alice@example.org "$(records 'select(.record.retry) | .record.retry.principal' | sort -u)" 'who signed them'
proved 'the decision that a retry allowed names it'

# A retry is one for the declared release: it says nothing about those that follow.
poisoned 3
expect 5 tally pass
same 1 "$(tries 3)" 'tries of release 3'
proved 'a retry for one release is none for the next'

#
# Commands that cannot work
#

expect 2 "$TALLY" retry --dir "$FLEET/checkout" shop@7
expect_text "declares no release 'shop@7'"
expect 2 "$TALLY" retry --dir "$FLEET/checkout" abc
expect 2 "$TALLY" retry
expect 4 "$TALLY" retry --dir "$FLEET/checkout" shop@3 --sign "$FLEET/keys/mallory"
[ ! -e "$FLEET/checkout/$PLACE" ] || fail 'a refused key left a statement'
mkdir -p "$FLEET/checkout/environments/test"
cp "$FLEET/checkout/environments/prod/shop.yaml" "$FLEET/checkout/environments/test/shop.yaml"
expect 2 "$TALLY" retry --dir "$FLEET/checkout" shop@3
expect_text '--env'
expect 0 "$TALLY" retry --dir "$FLEET/checkout" shop@3 --env test
[ -f "$FLEET/checkout/approvals/prod/shop/${BAD#sha256:}/statement.json" ] && fail 'the wrong environment'
[ -f "$FLEET/checkout/approvals/test/shop/${BAD#sha256:}/statement.json" ] || fail 'no statement'
mkdir -p "$FLEET/checkout/approvals/qa/shop/${BAD#sha256:}"
cp "$FLEET/checkout/approvals/test/shop/${BAD#sha256:}/statement.json" "$FLEET/checkout/approvals/qa/shop/${BAD#sha256:}/"
touch "$FLEET/checkout/approvals/statement.json"
expect 0 "$TALLY" --json check "$FLEET/checkout"
same 3 "$(jq '.warnings | length' <<<"$OUT")" 'warnings of check'
proved 'a retry that cannot be meant is not written, and check names approvals that nobody reads'

for sequence in $(records 'select(.record.recordType == "decision") | .record.seq'); do
        expect 0 tally replay "$sequence"
done
proved 'all that was decided can be replayed'
