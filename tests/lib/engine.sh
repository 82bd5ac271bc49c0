# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A private Docker engine and a private registry, for tests and the demo.
#
# Source this file (bash), then:
#
#   engine_start DIR [key=value …]   dockerd under DIR; sets ENGINE_SOCKET, and ENGINE_HOST to unix://$ENGINE_SOCKET
#                                    store=containerd: the containerd image store (Docker 24 and later)
#   engine_restart DIR               stop and start the daemon alone, as an upgrade or a reboot would
#   engine_kill DIR [alone]          kill the daemon and (without alone) its containerd, as a crash would; engine_restart brings them back
#   engine_stop DIR                  containers, networks, daemon, mounts: all that engine_start DIR brought
#   engine_api METHOD PATH [curl …]  one call to the engine at ENGINE_SOCKET
#   registry_start DIR [USER PASS]   docker-registry under DIR on a free loopback port; sets REGISTRY to host:port
#   registry_stop DIR
#   image_make NAME [TEXT] [COMMAND…] push an image made of busybox, and of what lies in the folder IMAGE_EXTRA when that is set, to REGISTRY;
#                                    prints host:port/NAME@sha256:…
#   index_make NAME [TEXT] [COMMAND…] the same below an index of two platforms; prints the index's reference
#   temporary_dir                    prints a new folder with a short name (unix sockets have 107 characters)
#   engine_available                 0 when this machine can run all this; otherwise says on stderr what is missing
#
# Nothing here needs the docker command line. Whoever starts something stops it, also on failure:
#
#   dir=$(temporary_dir); trap 'engine_stop "$dir/engine"; registry_stop "$dir/registry"; rm -rf "$dir"' EXIT
#
# Only processes that were started here are ever signalled, by the process id kept in DIR; only mounts and networks
# below DIR's engine are removed. What was learnt about bare machines:
#
#   - The daemon writes no firewall rules (--iptables=false) and has a bridge of its own, so that engines can run side by
#     side and the host stays as it was. With --bridge=none it would delete the docker0 of the host's engine. Published
#     ports go through docker-proxy; containers reach each other on networks made by a workload.
#   - Each engine takes its own address pool from 10.0.0.0/8, by its process id, so that their bridges don't collide.
#   - The control groups of its containers are below one of its own. The driver is cgroupfs beside systemd as well:
#     systemd would take the process ids of a namespace for its own.
#   - Without tests/lib/isolate, a script that is killed leaves its engine running.
#   - Where CAP_SYS_RESOURCE is missing, `privileged` and a negative oom_score_adj fail in runc; all else works.

# What contrib/setup unpacked for the tests from the next release.
PATH=${TALLY_TEST_CACHE:-${HOME:-/root}/.cache/tallyman-tests}/next/bin:$PATH

ENGINE_DOCKERD=${ENGINE_DOCKERD:-dockerd}
ENGINE_WAIT=${ENGINE_WAIT:-60}
REGISTRY_LOGIN=${REGISTRY_LOGIN:-}

temporary_dir() {
        mktemp -d "${TMPDIR:-/tmp}/tally.XXXXXX"
}

engine_say() {
        echo "engine.sh: $*" >&2
}

engine_available() {
        local missing=
        for tool in dockerd containerd runc docker-registry curl tar gzip sha256sum ip; do
                PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing="$missing $tool"
        done
        [ -x "$(PATH=$PATH:/bin:/usr/bin command -v busybox)" ] || missing="$missing busybox"
        [ "$(id -u)" = 0 ] || missing="$missing root"
        [ -z "$missing" ] || { engine_say "missing:$missing"; return 1; }
}

# The process in FILE, when it still is the one that was started for DIR.
engine_pid() {
        local file=$1 word=$2 pid
        [ -s "$file" ] || return 1
        pid=$(cat "$file")
        [ -r "/proc/$pid/cmdline" ] || return 1
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -F -- "$word" >/dev/null || return 1
        echo "$pid"
}

# End a process and wait for it: politely for SECONDS, then not.
engine_end() {
        local pid=$1 seconds=$2 i
        kill -TERM "$pid" 2>/dev/null || return 0
        for ((i = 0; i < seconds * 20; i++)); do
                engine_running "$pid" || return 0
                sleep 0.05
        done
        kill -KILL "$pid" 2>/dev/null || return 0
        for ((i = 0; i < 100; i++)); do
                engine_running "$pid" || return 0
                sleep 0.05
        done
}

# Neither gone nor a zombie that nobody waits for.
engine_running() {
        local state
        state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
        [ -n "$state" ] && [ "$state" != Z ]
}

engine_api() {
        local method=$1 path=$2
        shift 2
        curl -sS --max-time 120 --unix-socket "$ENGINE_SOCKET" -X "$method" "http://engine$path" "$@"
}

engine_launch() {
        local dir=$1 pid i
        # A session of its own: a Ctrl-C in the terminal must not end it before engine_stop has cleaned up.
        # shellcheck disable=SC2086
        PATH=$PATH:/usr/sbin:/sbin setsid $ENGINE_DOCKERD --config-file "$dir/daemon.json" \
                >>"$dir/dockerd.log" 2>&1 </dev/null &
        pid=$!
        disown "$pid" 2>/dev/null || :
        for ((i = 0; i < ENGINE_WAIT * 20; i++)); do
                if [ "$(curl -sS --max-time 5 --unix-socket "$dir/docker.sock" http://engine/_ping 2>/dev/null)" = OK ]; then
                        return 0
                fi
                if ! engine_running "$pid" && ! engine_pid "$dir/docker.pid" "$dir/daemon.json" >/dev/null; then
                        break
                fi
                sleep 0.05
        done
        engine_say "dockerd did not come up; the end of $dir/dockerd.log:"
        tail -n 15 "$dir/dockerd.log" >&2
        return 1
}

# engine_bridge_make DIR ADDRESS: a bridge for the engine's network "bridge"; its name is in DIR/bridge
engine_bridge_make() {
        local name
        name=tally-$(basename "$(mktemp -u /tmp/XXXXXXXX)")
        PATH=$PATH:/usr/sbin:/sbin ip link add name "$name" type bridge || return 1
        echo "$name" >"$1/bridge"
        PATH=$PATH:/usr/sbin:/sbin ip address add "$2" dev "$name"
}

# What the daemon does not remove at its end: its bridge, its control groups.
engine_remains_remove() {
        local mount type group
        [ ! -s "$1/bridge" ] || PATH=$PATH:/usr/sbin:/sbin ip link delete "$(cat "$1/bridge")" 2>/dev/null || :
        [ -s "$1/cgroup" ] || return 0
        group=$(cat "$1/cgroup")
        while read -r _ mount type _; do
                [[ $type == cgroup || $type == cgroup2 ]] && [ -d "$mount$group" ] || continue
                find "$mount$group" -depth -type d -exec rmdir {} + 2>/dev/null || :
        done </proc/mounts
}

engine_start() {
        local dir=$1 option store= extra= pool
        shift
        for option in "$@"; do
                case $option in
                store=containerd) store=', "features": {"containerd-snapshotter": true}' ;;
                *) extra="$extra, $option" ;;
                esac
        done
        mkdir -p "$dir/data" "$dir/exec"
        dir=$(cd "$dir" && pwd -P)
        if [ "${#dir}" -gt 70 ]; then
                engine_say "$dir is too long a path for the sockets in it"
                return 1
        fi
        rm -f "$dir/docker.pid"
        pool=10.$((64 + ($$ + RANDOM) % 128)).$((RANDOM % 16 * 16))
        [ -s "$dir/bridge" ] || engine_bridge_make "$dir" "$pool.1/26" || return 1
        [ -s "$dir/cgroup" ] || echo "${ENGINE_CGROUP:-}/$(cat "$dir/bridge")" >"$dir/cgroup"
        cat >"$dir/daemon.json" <<END
{ "data-root": "$dir/data", "exec-root": "$dir/exec", "pidfile": "$dir/docker.pid",
  "hosts": ["unix://$dir/docker.sock"], "group": "root",
  "bridge": "$(cat "$dir/bridge")", "iptables": false, "ip6tables": false,
  "default-address-pools": [{"base": "$pool.0/20", "size": 26}],
  "cgroup-parent": "$(cat "$dir/cgroup")", "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "shutdown-timeout": 2 $store$extra }
END
        ENGINE_SOCKET=$dir/docker.sock
        ENGINE_HOST=unix://$ENGINE_SOCKET
        export ENGINE_SOCKET ENGINE_HOST
        engine_launch "$dir" && return 0
        engine_stop "$dir"
        return 1
}

engine_restart() {
        local dir pid
        dir=$(cd "$1" && pwd -P)
        pid=$(engine_pid "$dir/docker.pid" "$dir/daemon.json") && engine_end "$pid" 20
        engine_launch "$dir"
}

engine_kill() {
        local dir pid other
        dir=$(cd "$1" && pwd -P)
        pid=$(engine_pid "$dir/docker.pid" "$dir/daemon.json") || return 1
        other=
        [ "${2:-}" = alone ] || other=$(engine_pid "$dir/exec/containerd/containerd.pid" "$dir/exec") || other=
        # shellcheck disable=SC2086
        kill -KILL "$pid" $other
        for pid in $pid $other; do
                while engine_running "$pid"; do sleep 0.05; done
        done
}

# Containers and networks first, while the daemon can still take them apart; then what a killed daemon left behind.
engine_stop() {
        local dir pid id
        [ -d "$1" ] || return 0
        dir=$(cd "$1" && pwd -P)
        pid=$(engine_pid "$dir/docker.pid" "$dir/daemon.json") || pid=
        if [ -n "$pid" ]; then
                local ENGINE_SOCKET=$dir/docker.sock
                for id in $(engine_containers); do
                        engine_api DELETE "/containers/$id?force=1&v=1" >/dev/null 2>&1 || :
                done
                engine_api POST /networks/prune >/dev/null 2>&1 || :
                engine_end "$pid" 20
        fi
        pid=$(engine_pid "$dir/exec/containerd/containerd.pid" "$dir/exec") && engine_end "$pid" 5
        for pid in $(engine_shims "$dir"); do
                engine_end "$pid" 1
        done
        awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | while read -r id; do
                umount -l "$id" 2>/dev/null || :
        done
        engine_remains_remove "$dir"
}

engine_containers() {
        engine_api GET '/containers/json?all=1' 2>/dev/null | sed 's/"Id":"/\n&/g' |
                sed -n 's/^"Id":"\([0-9a-f]\{64\}\)".*/\1/p'
}

# Shims of a killed containerd name its socket, which lies in our own folder.
engine_shims() {
        local file
        # One grep over all first: a machine has many processes.
        for file in $(grep -lsaF -- "$1/exec/containerd/" /proc/[0-9]*/cmdline); do
                if tr '\0' ' ' 2>/dev/null <"$file" | grep -F -- "-address $1/exec/containerd/" >/dev/null; then
                        file=${file%/cmdline}
                        echo "${file#/proc/}"
                fi
        done
}

registry_start() {
        local dir=$1 user=${2:-} pass=${3:-} port pid i try auth=
        mkdir -p "$dir/data"
        dir=$(cd "$dir" && pwd -P)
        if [ -n "$user" ]; then
                # crypt(3) of the system knows bcrypt; perl is part of every Debian.
                perl -e 'print "$ARGV[0]:", crypt($ARGV[1], "\$2b\$05\$abcdefghijklmnopqrstuu"), "\n"' "$user" "$pass" \
                        >"$dir/htpasswd"
                auth="auth: {htpasswd: {realm: tests, path: $dir/htpasswd}}"
        fi
        for ((try = 0; try < 10; try++)); do
                port=${REGISTRY_PORT:-$((20000 + RANDOM % 20000))}
                cat >"$dir/config.yml" <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $dir/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$port"}
$auth
END
                setsid docker-registry serve "$dir/config.yml" >>"$dir/registry.log" 2>&1 </dev/null &
                pid=$!
                disown "$pid" 2>/dev/null || :
                echo "$pid" >"$dir/registry.pid"
                echo "$port" >"$dir/registry.port"
                for ((i = 0; i < 200; i++)); do
                        engine_running "$pid" || break
                        if curl -sS --max-time 5 -o /dev/null "http://127.0.0.1:$port/v2/" 2>/dev/null && engine_running "$pid"; then
                                REGISTRY=127.0.0.1:$port
                                REGISTRY_LOGIN=${user:+$user:$pass}
                                export REGISTRY REGISTRY_LOGIN
                                return 0
                        fi
                        sleep 0.05
                done
                engine_running "$pid" && engine_end "$pid" 2
        done
        engine_say "docker-registry did not come up; the end of $dir/registry.log:"
        tail -n 5 "$dir/registry.log" >&2
        return 1
}

registry_stop() {
        local dir pid
        [ -d "$1" ] || return 0
        dir=$(cd "$1" && pwd -P)
        pid=$(engine_pid "$dir/registry.pid" "$dir/config.yml") && engine_end "$pid" 5
        return 0
}

# registry_put PATH FILE TYPE: upload one blob or manifest (OCI distribution-spec 1.0, "Pushing")
registry_put() {
        curl -sS --fail --max-time 60 ${REGISTRY_LOGIN:+-u "$REGISTRY_LOGIN"} -o /dev/null -X PUT \
                -H "Content-Type: $3" --data-binary "@$2" "$1"
}

# image_blob NAME FILE: prints the digest
image_blob() {
        local digest location
        digest=sha256:$(sha256sum "$2" | cut -d' ' -f1)
        location=$(curl -sS --fail --max-time 60 ${REGISTRY_LOGIN:+-u "$REGISTRY_LOGIN"} -o /dev/null -D - -X POST \
                "http://$REGISTRY/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
        case $location in
        '') return 1 ;;
        *\?*) location="$location&digest=$digest" ;;
        *) location="$location?digest=$digest" ;;
        esac
        registry_put "$location" "$2" application/octet-stream || return 1
        echo "$digest"
}

# image_push DIR NAME TAG TEXT ARCHITECTURE COMMAND…: config, layer and manifest; prints the manifest's digest and size
image_push() {
        local dir=$1 name=$2 tag=$3 text=$4 arch=$5 root=$1/root command='' word layer config diff digest
        shift 5
        [ $# -gt 0 ] || set -- /bin/sh -c 'trap "exit 0" TERM; while :; do /bin/sleep 1 & wait; done'
        for word in "$@"; do
                word=${word//\\/\\\\}
                command="$command${command:+,}\"${word//\"/\\\"}\""
        done
        mkdir -p "$root/bin" "$root/www" "$root/tmp"
        cp -L "$(PATH=$PATH:/bin:/usr/bin command -v busybox)" "$root/bin/busybox"
        # A busybox that is not static (Debian's installer leaves that one) brings its libraries along.
        ldd "$root/bin/busybox" 2>/dev/null | grep -oE '/[^ ]+' | while read -r word; do
                [ "$word" = "$root/bin/busybox:" ] || install -D -m 0755 "$word" "$root$word"
        done
        for word in sh cat echo sleep true false test httpd wget nc ls touch env id stat hostname kill nslookup; do
                ln -sf busybox "$root/bin/$word"
        done
        printf '%s\n' "$text" >"$root/www/index.html"
        [ -z "${IMAGE_EXTRA:-}" ] || cp -R "$IMAGE_EXTRA/." "$root/"
        tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$dir/layer.tar" .
        diff=sha256:$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)
        gzip -nf -1 "$dir/layer.tar"
        printf '{"architecture":"%s","os":"linux","config":{"Cmd":[%s],"Env":["PATH=/bin"],"Labels":{"text":"%s"}},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
                "$arch" "$command" "$text" "$diff" >"$dir/config.json"
        layer=$(image_blob "$name" "$dir/layer.tar.gz") && config=$(image_blob "$name" "$dir/config.json") || return 1
        printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":"%s"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":%d,"digest":"%s"}]}' \
                "$(stat -c %s "$dir/config.json")" "$config" "$(stat -c %s "$dir/layer.tar.gz")" "$layer" >"$dir/manifest.json"
        digest=sha256:$(sha256sum "$dir/manifest.json" | cut -d' ' -f1)
        registry_put "http://$REGISTRY/v2/$name/manifests/${tag:-$digest}" "$dir/manifest.json" \
                application/vnd.docker.distribution.manifest.v2+json || return 1
        echo "$digest $(stat -c %s "$dir/manifest.json")"
}

image_architecture() {
        case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        armv7*) echo arm ;;
        *) uname -m ;;
        esac
}

image_make() {
        local name=$1 text=${2:-$1} dir made
        shift; [ $# -eq 0 ] || shift
        dir=$(mktemp -d) || return 1
        made=$(image_push "$dir" "$name" latest "$text" "$(image_architecture)" "$@") || made=
        rm -rf "$dir"
        [ -n "$made" ] || { engine_say "$name could not be pushed to $REGISTRY"; return 1; }
        echo "$REGISTRY/$name@${made% *}"
}

index_make() {
        local name=$1 text=${2:-$1} arch dir made='' other='' digest
        shift; [ $# -eq 0 ] || shift
        dir=$(mktemp -d) || return 1
        arch=$(image_architecture)
        made=$(image_push "$dir" "$name" '' "$text" "$arch" "$@") &&
                other=$(image_push "$dir" "$name" '' "$text" s390x "$@") || made=
        if [ -z "$made" ] || [ -z "$other" ]; then
                rm -rf "$dir"
                engine_say "$name could not be pushed to $REGISTRY"
                return 1
        fi
        printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":%d,"digest":"%s","platform":{"architecture":"s390x","os":"linux"}},{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":%d,"digest":"%s","platform":{"architecture":"%s","os":"linux"}}]}' \
                "${other#* }" "${other% *}" "${made#* }" "${made% *}" "$arch" >"$dir/index.json"
        digest=sha256:$(sha256sum "$dir/index.json" | cut -d' ' -f1)
        registry_put "http://$REGISTRY/v2/$name/manifests/latest" "$dir/index.json" \
                application/vnd.docker.distribution.manifest.list.v2+json || digest=
        rm -rf "$dir"
        [ -n "$digest" ] || { engine_say "the index of $name could not be pushed"; return 1; }
        echo "$REGISTRY/$name@$digest"
}
