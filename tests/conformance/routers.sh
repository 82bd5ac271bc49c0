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
# See sockets_migrate() in test_router_traffic.c.
if [ "$TEST_ROUTER" = caddy ] && unshare -n true 2>/dev/null; then
        exec unshare -n bash -c 'ip link set lo up && echo 1 >/proc/sys/net/ipv4/tcp_migrate_req; exec "$@"' - "$program" "$@"
fi
exec "$program" "$@"
