#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A git server without any key plants a ledger for a host: nothing in it decides which commits the host accepts.
#
#   planted-ledger.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig
fleet_commit 'by alice'
good=$(tip)

# The server's own fleet: another root of trust, a host of the same name, and a ledger that is valid in itself.
evil=$RIG/evil
mkdir -p "$evil"
ssh-keygen -q -t ed25519 -N '' -C eve -f "$evil/eve"
printf 'eve@example.org namespaces="git" %s\n' "$(cut -d' ' -f1,2 "$evil/eve.pub")" >"$evil/signers"
eve() { fleet_git -c user.signingkey="$evil/eve" -C "$evil/checkout" "$@"; }
fleet_git init -q --bare "$evil/fleet.git"
fleet_git init -q "$evil/checkout"
mkdir -p "$evil/checkout/trust" "$evil/checkout/hosts" "$evil/checkout/environments/prod"
printf 'apiVersion: tallyman/v1\nkind: Environment\nenvironment: prod\n' >"$evil/checkout/environments/prod/environment.yaml"
cp "$evil/signers" "$evil/checkout/trust/allowed_signers"
"$TALLY" --config "$evil/tally.yaml" init --repository "$evil/fleet.git" --host web1 --trust "$evil/signers" \
        --state "$evil/state" >"$evil/checkout/hosts/web1.yaml" 2>"$RIG/init.txt"
eve add -A
eve commit -q -S -m 'another root'
eve push -q "$evil/fleet.git" HEAD:main
"$TALLY" --config "$evil/tally.yaml" --quiet pass
same "$(eve rev-parse HEAD)" "$(jq -r .desired.accepted "$evil/state/status.json")" 'the commit that the planted ledger names'

plant() { git -C "$evil/fleet.git" push -qf "$FLEET/fleet.git" main:main "$@"; }

#
# Before the first pass of the host
#

plant tally/web1:tally/web1
refuses() {
        expect 4 tally pass
        same "null refused TRUST_UNKNOWN_SIGNER" "$(status_get '"\(.desired.accepted) \(.state) \(.desired.refusal.code)"')" "$1"
        [ ! -e "$FLEET/state/accepted.json" ] || same null "$(jq -r .commit "$FLEET/state/accepted.json")" "$1: what is remembered"
        proved "$1"
}
refuses 'a planted ledger is no root of trust: the first commit must verify by the pinned one'
same key-rotation "$(records '.record.recordType' | grep key-rotation)" 'the record of whose key was found'
# The planted status.json now lies below a commit that this host signed.
refuses 'the host signs the ledger on, and what stood in it before still counts for nothing'

# The server learns the host's key from its ledger, and declares it.
cp "$FLEET/checkout/hosts/web1.yaml" "$evil/checkout/hosts/web1.yaml"
mkdir -p "$evil/checkout/apps" "$evil/checkout/environments"
cp -r "$FLEET/checkout/apps/." "$evil/checkout/apps/"
cp -r "$FLEET/checkout/environments/." "$evil/checkout/environments/"
eve add -A
eve commit -q -S -m 'a release for web1'
eve push -q "$evil/fleet.git" HEAD:main
plant
refuses 'a fleet that declares the very key of the host is refused as well'
[ -z "$(running)" ] || fail "something runs: $(running)"

git -C "$FLEET/fleet.git" update-ref refs/heads/main "$good"
accepted 'the fleet of the pinned root is accepted' 1

#
# The ledger of this host itself, after it lost what it accepted
#

rm "$FLEET/state/accepted.json"
plant
expect 4 tally pass
same "$good TRUST_REWIND" "$(status_get '"\(.desired.accepted) \(.desired.refusal.code)"')" 'what the own ledger says'
same 1 "$(running)" 'what runs'
proved 'the own ledger, signed by the own key, says what was accepted: another history is a rewind'
