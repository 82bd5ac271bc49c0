#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The contract of routers, on one of them: a real nginx, HAProxy or Caddy, private to this test.
#
#   routers.sh ROUTER TEST-PROGRAM [ARGUMENT…]

set -uo pipefail
export PATH=$PATH:/usr/sbin:/sbin
TEST_ROUTER=$1
program=$2
shift 2
TEST_ROUTER_SH=$(cd "$(dirname "$0")/../lib" && pwd)/router.sh
export TEST_ROUTER TEST_ROUTER_SH CMOCKA_MESSAGE_OUTPUT=${CMOCKA_MESSAGE_OUTPUT:-TAP}

"$TEST_ROUTER_SH" "$TEST_ROUTER" available || { echo "skipped: no $TEST_ROUTER on this machine"; exit 77; }
exec "$program" "$@"
