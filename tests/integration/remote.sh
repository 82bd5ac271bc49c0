#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What may happen to the repositories, there and here: nothing is lost, and a pass says what is wrong.
#
#   remote.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig
separate_ledger
branch=tally/web1

release 1
converges 1 'the first release'

#
# The repository of the desired state
#

mv "$FLEET/fleet.git" "$FLEET/away.git"
fake_set '.instances = []'
expect 1 tally pass
[ "$(status_get '.desired.stale != null')" = true ] || fail 'status.json does not say that it is stale'
same 1 "$(running)" 'what runs'
proved 'without the repository a pass says so, and repairs what was accepted'
mv "$FLEET/away.git" "$FLEET/fleet.git"
release 2
converges 2 'it goes on when the repository is back'
same null "$(status_get .desired.stale)" 'stale'

good=$(tip)
remote_git update-ref -d refs/heads/main
expect 1 tally pass
expect_text main
same 2 "$(running)" 'what runs'
proved 'a branch that is gone is no reason to stop anything'
remote_git update-ref refs/heads/main "$good"

#
# The mirror of it
#

# break_mirror HOW
break_mirror() {
        local mirror=$FLEET/state/desired.git pack object
        case $1 in
        *packs*)
                for pack in "$mirror"/objects/pack/*.pack; do
                        truncate -s 50 "$pack"
                done
                ;;
        *object*)
                mkdir -p "$RIG/packs"
                mv "$mirror"/objects/pack/* "$RIG/packs/" 2>/dev/null || :
                for pack in "$RIG"/packs/*.pack; do
                        [ ! -e "$pack" ] || git --git-dir="$mirror" unpack-objects -q <"$pack"
                done
                rm -rf "$RIG/packs"
                object=$(git --git-dir="$mirror" rev-parse "$2")
                rm -f "$mirror/objects/${object:0:2}/${object:2}"
                ;;
        *everything*) rm -rf "$mirror"/objects/?? "$mirror"/objects/pack/* ;;
        *HEAD*) : >"$mirror/HEAD" ;;
        *ref*) find "$mirror/refs" -type f -exec sh -c 'head -c 20 "$0" >"$0.x"; mv "$0.x" "$0"' {} \; ;;
        esac
}

version=2
while read -r object how; do
        version=$((version + 1))
        break_mirror "$how" "$object"
        release "$version"
        converges "$version" "a mirror with $how is fetched again"
done <<'LIST'
- packs that were cut off
refs/tally/accepted an accepted commit whose object is gone
refs/tally/accepted^{tree} a tree whose object is gone
refs/tally/accepted:trust/allowed_signers a file whose object is gone
refs/tally/accepted~1 a parent whose object is gone
- everything gone
- an empty HEAD
- half a ref
LIST

break_mirror everything
mv "$FLEET/fleet.git" "$FLEET/away.git"
expect 1 tally pass
same "$version" "$(running)" 'what runs'
same "$(git -C "$FLEET/away.git" rev-parse main)" "$(status_get .desired.accepted)" 'the accepted commit'
proved 'with neither mirror nor repository nothing is touched'
mv "$FLEET/away.git" "$FLEET/fleet.git"
release 20
converges 20 'and all goes on when the repository is back'

#
# The repository of the ledger
#

mv "$remote_ledger" "$FLEET/away.git"
before=$(git -C "$FLEET/away.git" rev-parse "$branch")
release 21
expect 1 tally pass
same 21 "$(running)" 'what runs'
release 22
expect 1 tally pass
same 22 "$(running)" 'what runs'
[ "$(ledger_git rev-parse "$branch")" != "$before" ] || fail 'no records were kept'
proved 'without the repository of the ledger records are kept, and a pass says so'
mv "$FLEET/away.git" "$remote_ledger"
expect 0 tally pass
ledger_is_whole 'after the push'
proved 'they are pushed when it is back, and git verify-commit takes every one'

for what in rewound vanished; do
        [ "$what" = vanished ] || git -C "$remote_ledger" update-ref "refs/heads/$branch" "$branch~3"
        [ "$what" = rewound ] || git -C "$remote_ledger" update-ref -d "refs/heads/$branch"
        release "$what"
        converges "$what" "a ledger branch that was $what is mended"
        same "$what" "$(last_record remote-anomaly .anomaly)" 'the record of the anomaly'
        ledger_is_whole "a branch that was $what"
        proved "and that it was $what is in the ledger"
done

ours=$(ledger_tip)
foreign=$(git -C "$remote_ledger" -c user.name=mallory -c user.email=m@example.org commit-tree -p "$ours" -m 'not ours' "$ours^{tree}")
git -C "$remote_ledger" update-ref "refs/heads/$branch" "$foreign"
release 23
expect 4 tally pass
same 23 "$(running)" 'what runs'
expect_text 'not made here'
had=$(count_records remote-anomaly)
same diverged "$(last_record remote-anomaly .anomaly)" 'the record of the anomaly'
expect 4 tally pass
same "$had" "$(count_records remote-anomaly)" 'anomalies in the ledger'
same "$foreign" "$(ledger_tip)" 'the ledger at the remote'
proved 'a ledger branch with foreign commits is left alone, and said to be so, once'
git -C "$remote_ledger" update-ref "refs/heads/$branch" "$ours"
expect 0 tally pass
ledger_is_whole 'after the foreign commit was removed'
proved 'it is pushed again when a person has put the branch right'

mv "$FLEET/state/ledger.git/objects" "$RIG/objects"
mkdir "$FLEET/state/ledger.git/objects"
release 24
converges 24 'a clone of the ledger that was lost comes back from the remote'
ledger_is_whole 'after the clone was lost'
rm -rf "$RIG/objects"
