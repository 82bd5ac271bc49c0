#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The contract of runtimes, with an engine and registries that are private to this test.
#
# usage: runtime.sh TEST-PROGRAM fake|docker|compose [store=containerd]

set -euo pipefail

program=$1 TEST_RUNTIME=$2
shift 2
export TEST_RUNTIME
# shellcheck source=tests/lib/engine.sh
. "$(dirname "$0")/../lib/engine.sh"

dir=$(temporary_dir)
cleanup() {
        engine_stop "$dir/engine"
        registry_stop "$dir/closed"
        registry_stop "$dir/registry"
        rm -rf "$dir"
}
trap cleanup EXIT
export TEST_DIR=$dir

if [ "$TEST_RUNTIME" = fake ]; then
        digest=sha256:$(printf '%064d' 0)
        ENGINE_HOST=fake:$dir/fake.json TEST_V1=registry.example/shop/web@${digest%0}1 TEST_V2=registry.example/shop/web@${digest%0}2 "$program"
        exit
fi

engine_available || { echo "skipped: no engine on this machine"; exit 77; }
[ "$TEST_RUNTIME" != compose ] || command -v docker-compose >/dev/null || { echo "skipped: no docker compose on this machine"; exit 77; }
engine_start "$dir/engine" "$@"

# A registry that wants a password, with one image.
registry_start "$dir/closed" tally s3cret-of-the-test
export TEST_CLOSED_IMAGE TEST_CLOSED_REGISTRY=$REGISTRY TEST_CLOSED_AUTH
TEST_CLOSED_IMAGE=$(image_make private/web "behind a password")
TEST_CLOSED_AUTH=$(printf %s tally:s3cret-of-the-test | base64)

registry_start "$dir/registry"
export TEST_V1 TEST_V2 TEST_INDEX TEST_BAD
TEST_V1=$(image_make shop/web "version 1")
TEST_V2=$(image_make shop/web "version 2")
TEST_INDEX=$(index_make shop/many "for many platforms")
TEST_BAD=$(image_make shop/bad "not what it was")

# The registry serves other bytes than the manifest promises.
layer=$(curl -sS "http://$REGISTRY/v2/shop/bad/manifests/${TEST_BAD##*@}" \
                -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' |
        sed -n 's/.*diff.tar.gzip","size":[0-9]*,"digest":"sha256:\([0-9a-f]*\)".*/\1/p')
blob=$dir/registry/data/docker/registry/v2/blobs/sha256/${layer:0:2}/$layer/data
[ -s "$blob" ]
printf 'broken' | dd of="$blob" bs=1 seek=64 conv=notrunc status=none

TEST_ENGINE_SH=$(dirname "$0")/../lib/engine.sh TEST_ENGINE_DIR=$dir/engine "$program"
