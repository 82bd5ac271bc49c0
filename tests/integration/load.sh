#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Documents that cannot be read: `tally check` points at the place, a pass keeps the last commit that can be loaded.
#
#   load.sh TALLY

set -euo pipefail

TALLY=$1
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

fake_rig
compose=$FLEET/checkout/apps/shop/compose.yaml
release=$FLEET/checkout/environments/prod/shop.yaml

#
# Enrolment: the host is not in the fleet at first
#

mv "$FLEET/checkout/hosts/web1.yaml" "$RIG/web1.yaml"
fleet_commit 'a fleet without web1'
expect 3 tally pass
same 'blocked HOST_NOT_ENROLLED' "$(status_get '"\(.state) \(.blocked.code)"')" 'a host that is not enrolled'
[ ! -e "$FLEET/state/fake/world.json" ] || fail 'a host that is not enrolled looked at a runtime'
status_get .blocked.message | sed '1d; /^$/d' >"$FLEET/checkout/hosts/web1.yaml"
cmp -s "$RIG/web1.yaml" "$FLEET/checkout/hosts/web1.yaml" || fail "it says to merge something else than init did"
proved 'a host that is not enrolled touches nothing and says what to merge'
fleet_commit 'what it said'
accepted 'merging that enrols it' 1
good=$(tip)

sed -i "s,^key: .*,key: $(cut -d' ' -f1,2 "$FLEET/keys/mallory.pub")," "$FLEET/checkout/hosts/web1.yaml"
fake_release 2
fleet_commit 'another key for web1'
expect 4 tally pass
same 'blocked HOST_KEY_MISMATCH' "$(status_get '"\(.state) \(.blocked.code)"')" 'a host with another key'
same 1 "$(running)" 'what runs'
cp "$RIG/web1.yaml" "$FLEET/checkout/hosts/web1.yaml"
expect_text "$(cut -d' ' -f1,2 "$FLEET/state/id_ed25519.pub")"
proved 'a host whose key is another one touches nothing and says its key'
fleet_commit 'the right key'
accepted 'the right key mends it' 2
good=$(tip)

#
# Documents
#

# bad CODE AT TEXT WHAT: what the work tree holds now is refused by check, at AT with TEXT, and by a pass
bad() {
        local code=$1 at=$2 text=$3 what=$4
        expect 2 tally check "$FLEET/checkout"
        expect_text "$at"
        expect_text "$text"
        [[ $at != *:*:* ]] || grep -q '^ *^$' <<<"$OUT" || fail "$what: no caret"
        fleet_commit "$what"
        refused "$code" "$what" 2
        status_get .desired.refusal.message | grep -F "$at" >/dev/null || fail "$what: the refusal does not say where"
        work reset -q --hard "$good"
        force
}

fake_release 3
printf 'services:\n  web: {image: "registry.example/shop/web"\n  api: 1\n' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:2:8 closed 'YAML that is broken is refused'

{ cat "$release"; head -c 1100000 /dev/zero | tr '\0' '#'; } >"$RIG/huge"
cp "$RIG/huge" "$release"
bad LOAD_LIMIT environments/prod/shop.yaml '1048576 bytes' 'a document that is huge is refused'

printf 'services:\n  web:\n    image: x\n    labels: %s%s\n' "$(printf '[%.0s' {1..200})" "$(printf ']%.0s' {1..200})" >"$compose"
bad LOAD_LIMIT apps/shop/compose.yaml:4:74 '64 levels' 'YAML that is deep is refused'

{
        echo 'x-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'
        for n in b:a c:b d:c e:d f:e g:f h:g; do
                printf 'x-%s: &%s [' "${n%:*}" "${n%:*}"
                printf "*${n#*:}, %.0s" {1..9}
                echo "*${n#*:}]"
        done
        cat "$compose"
} >"$RIG/bomb"
cp "$RIG/bomb" "$compose"
bad LOAD_LIMIT apps/shop/compose.yaml:6:10 '200000 values' 'an alias bomb is refused'

printf 'services:\n  web: &web\n    image: x\n    labels: {self: *web}\n' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:4:20 'inside of its own' 'YAML that holds itself is refused'

printf 'app: shop\n' >>"$release"
bad LOAD_INVALID environments/prod/shop.yaml:7:1 app 'a key that comes twice is refused'

printf 'services:\n\tweb: {image: x}\n' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:2:1 tabs 'a tab as indentation is refused'

printf 'services:\n  web: {image: "registry.example/shop/web", labels: {a: "\xff\xfe"}}\n' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:2:58 UTF-8 'bytes that are no UTF-8 are refused'

printf '\xff\xfes\0e\0' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:1:1 UTF-8 'UTF-16 is refused'

printf 'x\n' >"$FLEET/checkout/apps/shop/"$'Gr\xf6\xdfe.conf'
bad LOAD_INVALID 'apps/shop/Gr\xf6\xdfe.conf' 'must be UTF-8' 'a file whose name is not UTF-8 is refused, by its name'

sed -i '1a\---\nkind: App' "$FLEET/checkout/apps/shop/app.yaml"
bad LOAD_INVALID apps/shop/app.yaml:2:1 'second document' 'two documents in one file are refused'

printf 'services:\n  web:\n    image: registry.example/shop/web\n    ports: 8080\n' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:4:12 'expected a list' 'a compose key of the wrong type is refused'

printf 'services:\n  web:\n    image: registry.example/shop/web\n    enviroment: {A: b}\n' >"$compose"
bad LOAD_INVALID apps/shop/compose.yaml:4:5 "did you mean 'environment'" 'an unknown key is refused, and the one that was meant is said'

fleet_release shop 3 web=registry.example/shop/web:3
bad LOAD_TAG_ONLY environments/prod/shop.yaml:6:8 digest 'a tag without a digest is refused'

mkdir -p "$FLEET/checkout/environments/prod"
fleet_release store 1 "web=$(fake_image 1)"
bad LOAD_REFERENCE environments/prod/store.yaml:3:6 "no app 'store'" 'a release of an app that is not there is refused'

fleet_release shop 3 "web=$(fake_image 3)" "cache=$(fake_image 3)"
bad LOAD_REFERENCE environments/prod/shop.yaml:7:3 cache 'a digest for a service that is not there is refused'

mv "$FLEET/checkout/hosts/web1.yaml" "$FLEET/checkout/hosts/web1.yml"
bad LOAD_INVALID hosts/web1.yml .yaml 'a .yml is refused'

# What another host or environment gets wrong is wrong for all: nobody else would say so.
mkdir -p "$FLEET/checkout/environments/test"
printf 'kind: Release\n' >"$FLEET/checkout/environments/test/shop.yaml"
bad LOAD_INVALID environments/test/shop.yaml:1:1 apiVersion 'a release without a version of the API is refused'

#
# What only looks bad
#

fake_release 3
printf 'services:\r\n  web: {image: "registry.example/shop/web"}\r\n' >"$compose"
expect 0 tally check "$FLEET/checkout"
fleet_commit 'lines that end with CR LF'
accepted 'CRLF is read' 3

fake_release 4
printf '\xef\xbb\xbfservices:\n  web: {image: "registry.example/shop/web"}\n' >"$compose"
expect 0 tally check "$FLEET/checkout"
fleet_commit 'a BOM'
accepted 'a byte order mark is read' 4

fake_release 5
printf 'x-image: &i {image: "registry.example/shop/web"}\nservices:\n  web: {<<: *i, labels: {a: b}}\n' >"$compose"
fleet_commit 'anchors'
accepted 'anchors, aliases and merge keys are read' 5
good=$(tip)

#
# Nothing for this host
#

printf 'on: {role: database}\n' >>"$release"
expect 0 tally check "$FLEET/checkout"
before=$(what_runs)
fleet_commit 'the release is for other hosts'
expect 0 tally pass
same "$(tip)" "$(status_get .desired.accepted)" 'the accepted commit'
same "$before" "$(what_runs)" 'what runs'
proved 'a release whose selector does not select this host does nothing, and what runs is left alone'
work revert --no-edit HEAD >/dev/null 2>&1 || fail 'no revert'
as alice commit -q --amend --no-edit
work push -q origin HEAD:main
accepted 'and is taken up again when it does' 5

#
# In force
#

fake_release 6
rm "$compose"
fleet_commit 'the compose file is gone'
refused LOAD_REFERENCE 'an app without its compose file is refused' 2
fake_set '.instances = []'
expect 2 tally pass
same 5 "$(running)" 'what runs'
same LOAD_REFERENCE "$(status_get .desired.refusal.code)" 'the refusal'
proved 'while a commit is refused the last one that loads is in force, and drift from it is repaired'
printf 'services:\n  web: {image: "registry.example/shop/web"}\n' >"$compose"
fleet_commit 'mended on top'
accepted 'a commit on top mends it' 6
