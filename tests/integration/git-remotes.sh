#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Remotes of every kind, on loopback: a private sshd, git over http and https,
# and servers that misbehave. Runs the cases of test_git_remote.c against them.
#
# usage: git-remotes.sh TEST-PROGRAM SERVER

set -euo pipefail

program=$1
server=$2

skip() {
        echo "skipped: $1"
        exit 77
}

for tool in git python3 openssl ssh-keygen ssh-keyscan; do
        command -v "$tool" >/dev/null || skip "there is no $tool"
done
sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || skip "there is no sshd"
[ -x "$(git --exec-path)/git-http-backend" ] || skip "there is no git-http-backend"

dir=$(mktemp -d)
pids=()
cleanup() {
        for pid in "${pids[@]}"; do
                kill "$pid" 2>/dev/null || :
                wait "$pid" 2>/dev/null || :
        done
        rm -rf "$dir"
}
trap cleanup EXIT

unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy SSH_AUTH_SOCK
export HOME=$dir/home GIT_CONFIG_NOSYSTEM=1 TMPDIR=$dir/tmp
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example
mkdir -p "$HOME" "$TMPDIR" "$dir/repositories" "$dir/ssh"
# What must not reach us: a configuration that sends every URL elsewhere.
git config --global url.https://elsewhere.example/.insteadOf "$dir"
git config --global init.defaultBranch main
chmod 755 "$dir"

await() {
        for _ in $(seq 100); do
                [ -s "$1" ] && return 0
                sleep 0.05
        done
        echo "nothing wrote $1" >&2
        return 1
}

#
# https and http
#

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tally-test-ca \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$dir/tls.key" -out "$dir/tls.csr" 2>/dev/null
openssl x509 -req -days 2 -in "$dir/tls.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
        -extfile <(printf 'subjectAltName=DNS:localhost') -out "$dir/tls.pem" 2>/dev/null
python3 "$server" "$dir/repositories" "$dir/http.port" &
pids+=($!)
python3 "$server" "$dir/repositories" "$dir/https.port" "$dir/tls.pem" "$dir/tls.key" &
pids+=($!)
await "$dir/http.port"
await "$dir/https.port"

#
# ssh
#

ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/host_ed25519"
ssh-keygen -q -t ecdsa -N '' -f "$dir/ssh/host_ecdsa"
ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/user"
ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/stranger"
ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/other_host"
cp "$dir/ssh/user.pub" "$dir/ssh/authorized_keys"
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
start_sshd() {
        for _ in $(seq 20); do
                port=$((20000 + RANDOM % 20000))
                cat >"$dir/ssh/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $dir/ssh/host_ed25519
HostKey $dir/ssh/host_ecdsa
AuthorizedKeysFile $dir/ssh/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv GIT_PROTOCOL
END
                "$sshd" -D -e -f "$dir/ssh/sshd_config" 2>"$dir/ssh/log" &
                pid=$!
                for _ in $(seq 40); do
                        if ssh-keyscan -p "$port" 127.0.0.1 >"$dir/ssh/scan" 2>/dev/null && [ -s "$dir/ssh/scan" ] &&
                                kill -0 "$pid" 2>/dev/null; then
                                pids+=("$pid")
                                return 0
                        fi
                        kill -0 "$pid" 2>/dev/null || break
                        sleep 0.1
                done
                kill "$pid" 2>/dev/null || :
                wait "$pid" 2>/dev/null || :
        done
        skip "no private sshd can be started: $(tail -n 1 "$dir/ssh/log")"
}
start_sshd
[ -n "$(command -v git)" ] && git --version >/dev/null

TALLY_TEST_DIR=$dir \
        TALLY_TEST_HTTP=http://localhost:$(cat "$dir/http.port") \
        TALLY_TEST_HTTPS=https://localhost:$(cat "$dir/https.port") \
        TALLY_TEST_SSH_PORT=$port \
        TALLY_TEST_USER=$(id -un) \
        "$program"
