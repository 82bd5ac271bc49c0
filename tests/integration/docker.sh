#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the docker runtime alone does, on a real engine that is private to this test.
#
# usage: docker.sh TEST-PROGRAM [store=containerd]

set -euo pipefail

program=$1
shift
# shellcheck source=tests/lib/engine.sh
. "$(dirname "$0")/../lib/engine.sh"

engine_available || { echo "skipped: no engine on this machine"; exit 77; }

dir=$(temporary_dir)
cleanup() {
        engine_stop "$dir/engine"
        registry_stop "$dir/registry"
        rm -rf "$dir"
}
trap cleanup EXIT

engine_start "$dir/engine" "$@"
registry_start "$dir/registry"
export TEST_RUNTIME=docker TEST_DIR=$dir TEST_V1
TEST_V1=$(image_make shop/web "version 1")
"$program"
