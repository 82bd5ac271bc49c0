#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests leave the host alone: an engine that is there keeps its docker0, and a run that is interrupted leaves nothing behind.
#
#   isolated.sh BUILD TALLY
#
# The host of this test is itself one of tests/lib/isolate.

set -euo pipefail

build=$1 TALLY=$2
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=tests/lib/fleet.sh
. "$here/lib/fleet.sh"

[ -n "${ISOLATED:-}" ] || { echo "missing: namespaces of its own (call it through tests/lib/isolate)"; exit 77; }
engine_available || exit 77
dir=$(temporary_dir)

#
# The host has an engine, whose containers need docker0
#

ip link add docker0 type bridge
ip address add 172.17.0.1/16 dev docker0
ip link set docker0 up
links() { ip -o link show | sed 's/ state .*//'; }
before=$(links)

engine_start "$dir/engine"
same 'docker0 172.17.0.1/16' "$(ip -4 -o address show dev docker0 | awk '{ print $2, $4 }')" 'docker0 beside an engine in the same network'
same null "$(engine_api GET /networks/bridge | jq -c '.Options["com.docker.network.bridge.name"] | select(. == "docker0")' | grep . || echo null)" \
        'the engine does not take docker0 for its own'
engine_stop "$dir/engine"
same "$before" "$(links)" 'interfaces after engine_stop'
proved 'an engine of a test beside docker0 leaves it as it is'

# As contrib/demo does it.
"$here/lib/isolate" bash -euc '. "$1/lib/engine.sh"; engine_start "$TMPDIR/engine"; ip -o link show type bridge | grep tally- >/dev/null; ! ip link show docker0 2>/dev/null' \
        - "$here"
same "$before" "$(links)" 'interfaces after an isolated engine that nobody stopped'
proved 'an engine in namespaces of its own does not see docker0'

#
# A real test is interrupted half-way
#

# All that a run could leave in the namespaces of this test; its folder and control groups are looked for by name.
host() {
        local shell=$BASHPID
        ps -eo pid=,ppid=,args= | awk -v self=$$ -v shell="$shell" '$1 != 1 && $1 != self && $1 != shell && $2 != shell'
        for one in /proc/[0-9]*/ns/{pid,net,mnt}; do readlink "$one" || :; done 2>/dev/null | sort -u
        cat /proc/self/mountinfo
        links
}
# containers CGROUP: the control groups of containers below it
containers() { find /sys/fs/cgroup -regextype posix-extended -regex ".*$1/.*/[0-9a-f]{64}" -type d 2>/dev/null; }
groups() { find /sys/fs/cgroup -path "*$1" -type d 2>/dev/null; }

# interrupted SIGNAL STATUS: a run of the test "rollback" gets the signal while a container of it runs
interrupted() {
        local signal=$1 wanted=$2 before pid status=0 cgroup='' folder='' environment i
        before=$(host)
        # As on a host: not below the folder and the control group of this test.
        env --default-signal=INT -u ISOLATED -u TMPDIR -u ENGINE_CGROUP "$here/lib/isolate" --network \
                meson test -C "$build" --no-rebuild --logbase interrupted --suite integration rollback >"$dir/said" 2>&1 &
        pid=$!
        for ((i = 0; i < 1200; i++)); do
                sleep 0.1
                if [ -z "$cgroup" ]; then
                        environment=$(pgrep -P "$pid" | xargs -I{} cat /proc/{}/environ 2>/dev/null | tr '\0' '\n') || :
                        cgroup=$(sed -n 's/^ENGINE_CGROUP=//p' <<<"$environment" | tail -n 1) folder=$(sed -n 's/^TMPDIR=//p' <<<"$environment" | tail -n 1)
                        continue
                fi
                [ -z "$(containers "$cgroup")" ] || break
                engine_running "$pid" || break
        done
        [ -d "$folder" ] && [ -n "$(containers "$cgroup")" ] || { OUT=$(cat "$dir/said"); fail "$signal: the test did not come to a container"; }
        [ "$(host)" != "$before" ] || fail "$signal: nothing is seen of a test that runs"
        kill "-$signal" "$pid"
        wait "$pid" || status=$?
        same "$wanted" "$status" "exit status after $signal"
        # Whoever is killed does not wait for what is removed.
        for ((i = 0; i < 100; i++)); do
                if [ "$(host)" = "$before" ] && [ ! -e "$folder" ] && [ -z "$(groups "$cgroup")" ]; then break; fi
                sleep 0.1
        done
        same "$before" "$(host)" "processes, namespaces, mounts, interfaces after $signal"
        [ ! -e "$folder" ] || fail "$signal: $folder is left behind"
        same '' "$(groups "$cgroup")" "control groups after $signal"
        proved "a run that is interrupted by $signal leaves nothing behind"
}
interrupted INT 130
interrupted TERM 143
interrupted KILL 137
