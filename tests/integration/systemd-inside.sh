#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Run by systemd.sh inside the system that it boots.

set -euo pipefail
exec >/var/lib/tally-test/output 2>&1

config=/etc/tally/tally.yaml
log=/var/lib/tally/log

fail() {
        trap - ERR
        echo "FAIL: $*"
        ends || :
        systemctl status --no-pager --lines=0 tallyd.service || :
        echo "the journal of the unit:"
        journalctl --no-pager --lines=60 --output=short --unit=tallyd.service || :
        echo "and the end of the rest:"
        journalctl --no-pager --output=short | grep -vE 'tally(d|-full)?\[' | tail -n 20 || :
        exit 1
}

# How each worker ended that the daemon was not content with: "exit code 127", "SIGSYS".
ends() {
        local id code
        journalctl --sync
        for id in $pass_failed $pass_lost; do
                entries "$id" | sed -n 's/.*"TALLY_EXIT" *: *"\([^"]*\)".*/\1/p' | sort | uniq -c | while read -r n code; do
                        [[ $code != 1[2-9][0-9] ]] || [ "$code" -le 128 ] || code="$code, which is SIG$(kill -l "$code")"
                        echo "  $n × a pass $([ "$id" = $pass_lost ] && echo 'was lost' || echo failed): exit code $code"
                done
        done
}

trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
set -E

# wait_for SECONDS WHAT COMMAND…
wait_for() {
        local i n=$(($1 * 20)) what=$2
        shift 2
        for ((i = 0; i < n; i++)); do
                "$@" && return
                sleep 0.05
        done
        fail "waited in vain for $what"
}

show() { systemctl show --value --property="$1" tallyd.service; }
starts() { grep -c '^start ' "$log" 2>/dev/null || :; }
has_starts() { [ "$(starts)" -ge "$1" ]; }
is_state() { [ "$(show ActiveState)" = "$1" ]; }
# entries MESSAGE_ID: what the journal has of it, one JSON object a line
entries() { journalctl --no-pager --output=json --unit=tallyd.service MESSAGE_ID="$1"; }
has_entries() { journalctl --sync && [ "$(entries "$1" | wc -l)" -ge "$2" ]; }
is_new_pid() { [ "$(show MainPID)" != 0 ] && [ "$(show MainPID)" != "$1" ] && is_state active; }

started=d8570926019b4766a1d26d9494fcc15d
stopped=dc2cb78af1b14dbd9fdf60ca08ff679b
pass_failed=f6835c760d8f4edaab6d0451beb6cb7e
pass_lost=c433598477d0409cb5bcca3bef2e5191

echo "· $(systemctl --version | head -1)"

echo "· the unit is found without fault, and the preset enables it"
systemctl preset --quiet tallyd.service 2>/dev/null
[ "$(systemctl is-enabled tallyd.service)" = enabled ] || fail "not enabled"
[ "$(show LoadState)" = loaded ] || fail "not loaded"
! journalctl --no-pager --boot | grep -E 'tallyd\.service:[0-9]+:' || fail "systemd complains about the unit"

echo "· without a configuration it does not start, and does not fail"
systemctl start tallyd.service
is_state inactive || fail "$(show ActiveState)"
[ "$(show ConditionResult)" = no ] || fail "the condition held"

echo "· READY, and a pass"
mkdir -p /etc/systemd/system/tallyd.service.d
exec_start=$(sed -n 's/^ExecStart=//p' "$(show FragmentPath)")
cat >/etc/systemd/system/tallyd.service.d/test.conf <<EOF
[Service]
ExecStart=
ExecStart=$exec_start --tally /usr/local/lib/tally-test/fake-worker
RestartSec=1s
EOF
systemctl daemon-reload
mkdir -p /etc/tally
printf '%s\n' "log $log" "say poll_ms=60000" "say status=a scripted pass" "exit 1" >$config
systemctl start tallyd.service
is_state active || fail "$(show ActiveState)"
wait_for 5 "the first pass" has_starts 1
wait_for 5 "the status" eval '[[ $(show StatusText) == *"a scripted pass"* ]]'
pid=$(show MainPID)

echo "· what is promised about the unit holds"
while read -r property value; do
        found=$(show "$property" | tr ' ' '\n' | sort | tr '\n' ' ') # sets come in any order
        [ "${found% }" = "$value" ] || fail "$property is '$found', not '$value'"
done <<'EOF'
Type notify
NotifyAccess main
WatchdogUSec 3min
Restart on-failure
KillMode mixed
OOMPolicy continue
TimeoutStopUSec 30s
UMask 0077
NoNewPrivileges yes
CapabilityBoundingSet
ProtectSystem strict
ProtectHome yes
PrivateTmp yes
PrivateDevices yes
ProtectKernelTunables yes
ProtectKernelModules yes
ProtectKernelLogs yes
ProtectControlGroups yes
RestrictNamespaces yes
RestrictRealtime yes
RestrictSUIDSGID yes
LockPersonality yes
MemoryDenyWriteExecute yes
SystemCallArchitectures native
RestrictAddressFamilies AF_INET AF_INET6 AF_UNIX
MemoryMax 536870912
TasksMax 256
EOF
[ "$(show WatchdogTimestamp)" != "" ] || fail "the watchdog was never fed"

echo "· and about its process"
while read -r line; do
        grep -qE "^$line\$" "/proc/$pid/status" || fail "/proc/$pid/status has no line $line"
done <<'EOF'
CapEff:	0000000000000000
CapPrm:	0000000000000000
CapBnd:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Threads:	1
EOF
inside() { nsenter --mount --target "$pid" "$@" 2>/dev/null; }
! inside touch /etc/tally-was-here || fail "/etc can be written"
! inside touch /usr/tally-was-here || fail "/usr can be written"
! inside touch /run/tally-was-here || fail "/run can be written"
touch /root/secret
inside test -e /etc/passwd || fail "its view of the files cannot be looked at"
! inside test -e /root/secret || fail "homes can be read"
inside touch /run/tally/here /var/lib/tally/here || fail "its own folders cannot be written"
[ "$(stat -c '%a %U' /var/lib/tally)" = "700 root" ] || fail "the state folder is $(stat -c '%a %U' /var/lib/tally)"
[ "$(tr -d '\n ' </run/tally/tallyd.lock)" = "$pid" ] || fail "the lock file does not hold its id"
private=$(awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum }' "/proc/$pid/smaps_rollup")
echo "  private memory: $private KiB of 1024 allowed, $((private * 100 / 1024)) %"
[ "$private" -le 1024 ] || fail "more than 1 MiB of private memory"

echo "· the journal has fields"
wait_for 5 "the start" has_entries $started 1
wait_for 5 "the failure" has_entries $pass_failed 1
for field in TALLY_EXIT:1 TALLY_FAILURES:1 TALLY_NEXT: PRIORITY:4 SYSLOG_IDENTIFIER:tallyd; do
        entries $pass_failed | tr -d '" ' | grep -F "$field" >/dev/null || fail "no $field in: $(entries $pass_failed)"
done
journalctl --update-catalog
journalctl --no-pager -x --unit=tallyd.service MESSAGE_ID=$pass_failed | grep 'A pass failed with exit code 1' >/dev/null ||
        fail "the catalog does not explain it"

echo "· reload runs a pass"
n=$(starts)
systemctl reload tallyd.service
wait_for 5 "a pass" has_starts $((n + 1))
[ "$(show MainPID)" = "$pid" ] || fail "it is another process"

echo "· killed, it comes back"
kill -KILL "$pid"
wait_for 10 "another process" is_new_pid "$pid"

echo "· stopping is clean, and leaves no worker"
printf '%s\n' "log $log" "say poll_ms=60000" "sleep 1000" "say status=done" >$config
n=$(starts)
systemctl reload tallyd.service
wait_for 5 "a pass" has_starts $((n + 1))
systemctl stop tallyd.service
is_state inactive || fail "$(show ActiveState)"
[ "$(show Result) $(show ExecMainStatus)" = "success 0" ] || fail "$(show Result) $(show ExecMainStatus)"
tail -1 $log | grep '^say status=done' >/dev/null || fail "the worker was not let end"
wait_for 5 "the stop" has_entries $stopped 1
[ ! -e /run/tally ] || fail "/run/tally is left behind"
! has_entries $pass_lost 1 || fail "a worker was lost"

echo "· the worker as installed: a whole pass, as confined as the unit says"
rm -f /etc/systemd/system/tallyd.service.d/test.conf $config
# As the manual page says for repositories that are a local path.
printf '[Service]\nReadWritePaths=/srv\n' >/etc/systemd/system/tallyd.service.d/local.conf
systemctl daemon-reload
rm -rf /var/lib/tally
cp -a /var/lib/tally-test/state /var/lib/tally
cp -a /var/lib/tally-test/etc/. /etc/tally/
failures() { entries $pass_failed | wc -l; }
had=$(failures)
converged() {
        ! has_entries $pass_lost 1 || fail "a worker was lost"
        [ "$(failures)" = "$had" ] || fail "a pass failed"
        [ -s /var/lib/tally/fake/world.json ] && [ -e /srv/fleet.git/refs/heads/tally/web1 ] &&
                [[ $(show StatusText) == *converged* ]] && grep -q '"running"' /var/lib/tally/fake/world.json
}
systemctl start tallyd.service
is_state active || fail "$(show ActiveState)"
wait_for 20 "the release" converged
pid=$(show MainPID)

echo "· and one that fails says why in the journal, and how it ended"
mv /srv/fleet.git /srv/away.git
systemctl reload tallyd.service
wait_for 20 "the failure" has_entries $pass_failed $((had + 1))
entries $pass_failed | tail -n 1 | tr -d '" ' | grep 'TALLY_EXIT:[1-9]' >/dev/null || fail "no exit code in $(entries $pass_failed | tail -n 1)"
journalctl --no-pager --unit=tallyd.service --output=cat | grep '/srv/fleet.git' >/dev/null || fail "it does not say why"
! has_entries $pass_lost 1 || fail "a worker was lost"
mv /srv/away.git /srv/fleet.git
[ "$(show MainPID)" = "$pid" ] || fail "it is another process"
systemctl stop tallyd.service
[ "$(show Result)" = success ] || fail "$(show Result)"

echo ok
