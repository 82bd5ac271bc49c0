#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tallyd.service as it is installed, under a systemd that is booted for it.
#
#   systemd.sh BUILD FAKE_WORKER
#
# Needs root, debootstrap and systemd-nspawn; without them it ends with 77. The system is made once, from the
# mirror that this machine's apt uses, and kept in ${TALLY_TEST_CACHE:-$HOME/.cache/tallyman-tests}.
# TALLY_TEST_ROOT names a ready one instead; it is copied, not changed.

set -euo pipefail

build=$1 fake=$2
here=$(cd "$(dirname "$0")" && pwd)
cache=${TALLY_TEST_CACHE:-${HOME:-/root}/.cache/tallyman-tests}
recipe=1 # another number makes the system anew
dir=

skip() {
        echo "skipped: $*" >&2
        exit 77
}

cleanup() {
        [ -z "$dir" ] || rm -rf --one-file-system "$dir"
}
trap cleanup EXIT

# ——— the system ———

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

mirror() {
        apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 2>/dev/null |
                awk -v c="$codename" '$1 == c && $2 == "main" { print $3; exit }'
}

make_root() {
        local root=$1 uri
        command -v debootstrap >/dev/null || skip "debootstrap is not installed"
        [ -e "/usr/share/debootstrap/scripts/$codename" ] || skip "debootstrap does not know '$codename'"
        uri=$(mirror)
        [ -n "$uri" ] || skip "apt has no source of '$codename'"
        echo "making a $codename system in $root (about a minute, once)"
        mkdir -p "$cache"
        rm -rf --one-file-system "$root.new"
        debootstrap --variant=minbase --include=systemd,systemd-sysv "$codename" "$root.new" "$uri" \
                >"$cache/debootstrap.log" 2>&1 || {
                tail -n 5 "$cache/debootstrap.log" >&2
                skip "debootstrap failed; see $cache/debootstrap.log"
        }
        rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
        mv "$root.new" "$root"
}

[ "$(id -u)" -eq 0 ] || skip "not root"
command -v systemd-nspawn >/dev/null || skip "systemd-nspawn is not installed"
base=${TALLY_TEST_ROOT:-$cache/root-$codename-$recipe}
if [ -z "${TALLY_TEST_ROOT:-}" ] && [ ! -d "$base" ]; then
        mkdir -p "$cache"
        exec 9>"$cache/lock"
        flock 9
        [ -d "$base" ] || make_root "$base"
fi
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/tally-systemd-XXXXXX")
root=$dir/root
cp -a --reflink=auto "$base" "$root"

# ——— what was built, and the libraries it needs that a minimal system hasn't got ———

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet
install -D -m 0755 "$fake" "$root/usr/local/lib/tally-test/fake-worker"

copy_libraries() {
        local library
        ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r library; do
                if [ ! -e "$root$library" ] && [ ! -e "$root/usr$library" ]; then
                        install -D -m 0644 "$library" "$root/usr/local/lib/$(basename "$library")"
                fi
        done
}
# By name, not by age: what is installed is as old as the build.
mapfile -t installed < <(find "$root/usr/local" "$root/usr/bin" "$root/usr/libexec" -type f -perm -u+x \
        \( -name tally -o -name tally-full -o -name tallyd -o -name fake-worker \) 2>/dev/null)
[ ${#installed[@]} -eq 4 ] || { echo "FAIL: what is installed is not what was expected: ${installed[*]}" >&2; exit 1; }
for program in "${installed[@]}"; do
        copy_libraries "$program"
done
chroot "$root" ldconfig
for program in "${installed[@]}"; do
        if chroot "$root" ldd "${program#"$root"}" | grep 'not found'; then
                echo "FAIL: ${program#"$root"} lacks libraries there" >&2
                exit 1
        fi
done

# ——— a fleet of one host, for the worker as installed; its app runs in the fake runtime ———

TALLY=$build/reconciler/tally
# shellcheck source=tests/lib/fleet.sh
. "$here/../lib/fleet.sh"
export HOME=$dir GIT_CONFIG_NOSYSTEM=1
unset TALLY_CONFIG
for tool in git ssh-keygen; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
done
fleet_make "$dir/fleet" web1
fake_app shop
fake_release 1
fleet_commit 'the shop'
mkdir -p "$root/srv" "$root/var/lib/tally-test"
cp -a "$FLEET/fleet.git" "$root/srv/fleet.git"
cp -a "$FLEET/state" "$root/var/lib/tally-test/state"
cp -a "$FLEET/etc" "$root/var/lib/tally-test/etc"
chown -R 0:0 "$root/srv/fleet.git" "$root/var/lib/tally-test"
sed -i "s,$FLEET/fleet.git,/srv/fleet.git,; s,$FLEET/state,/var/lib/tally,; s,$FLEET/etc,/etc/tally," \
        "$root/var/lib/tally-test/etc/tally.yaml"
echo 'poll: 1s' >>"$root/var/lib/tally-test/etc/tally.yaml"

# ——— the test inside, which ends the system ———

install -m 0755 "$here/systemd-inside.sh" "$root/usr/local/lib/tally-test/inside"
cat >"$root/etc/systemd/system/tally-test.service" <<'EOF'
[Unit]
Description=The test
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/usr/local/lib/tally-test/inside
StateDirectory=tally-test
TimeoutStartSec=120
ExecStopPost=/bin/systemctl poweroff --no-block
EOF
mkdir -p "$root/etc/systemd/system/default.target.wants" "$root/var/lib/tally-test"
ln -s ../tally-test.service "$root/etc/systemd/system/default.target.wants/tally-test.service"
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id" # not a first boot: no presets but the one under test

# systemd 257 does not boot on the old control groups. Where the machine has them, it is given the new ones: without
# controllers, which is enough here.
boot=()
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
        boot=(unshare --mount sh -c 'umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$@"' sh)
fi

status=0
timeout --kill-after=10 180 "${boot[@]}" systemd-nspawn --quiet --directory="$root" \
        --machine="tally-test-$$" --register=no --keep-unit --private-network --link-journal=no --console=pipe --boot </dev/null >"$dir/console" 2>&1 ||
        status=$?
if [ ! -s "$root/var/lib/tally-test/output" ]; then
        tail -n 20 "$dir/console" >&2
        # A container that forbids to start containers; what a boot that went wrong looks like is not here.
        if grep -qE 'Failed to (mount|create|allocate|set up|determine|move)|Operation not permitted' "$dir/console" &&
                ! grep -q 'Reached target' "$dir/console"; then
                skip "systemd cannot be booted here ($status)"
        fi
        echo "FAIL: systemd did not come to the test ($status)" >&2
        exit 1
fi
cat "$root/var/lib/tally-test/output"
tail -n 1 "$root/var/lib/tally-test/output" | grep -x ok >/dev/null || exit 1

# What the confined worker left: a ledger whose every commit git verifies with the host's key.
echo "web1 namespaces=\"git\" $(cut -d' ' -f1,2 "$root/var/lib/tally/id_ed25519.pub")" >"$dir/host_signers"
commits=$(git -c safe.directory='*' -C "$root/srv/fleet.git" rev-list tally/web1)
[ "$(wc -w <<<"$commits")" -ge 3 ] || { echo "FAIL: the ledger has only $(wc -w <<<"$commits") commits" >&2; exit 1; }
# shellcheck disable=SC2086
git -c safe.directory='*' -c gpg.ssh.allowedSignersFile="$dir/host_signers" -C "$root/srv/fleet.git" verify-commit $commits \
        2>"$dir/verify" || { cat "$dir/verify" >&2; echo "FAIL: the ledger does not verify" >&2; exit 1; }
