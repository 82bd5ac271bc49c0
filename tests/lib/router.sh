#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A private nginx, HAProxy, Caddy, or something that reads files as Traefik does, under a folder of its own.
#
#   router.sh KIND start DIR     make DIR's configuration when there is none, start it, and wait until it answers
#   router.sh KIND stop DIR      end it as a power cut would
#   router.sh KIND test DIR      validate the whole configuration
#   router.sh KIND reload DIR
#   router.sh KIND available     0 when this machine has it
#
# In DIR: tally.d is for what is tested, extra for what an operator would write; haproxy.sock and caddy.sock are where they are asked. Caddy has
# a server at 127.0.0.1:$OPERATOR_PORT with a place for the app "ops", Traefik's entry point "web" is at 127.0.0.1:$LISTEN_PORT and its API
# at 127.0.0.1:$ADMIN_PORT. Only processes that were started here are ever signalled, by the process id kept in DIR.

set -uo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
kind=$1 verb=$2 dir=${3:-}

say() { echo "router.sh: $*" >&2; }

# wait_until SECONDS COMMAND…
wait_until() {
        local n=$(($1 * 50))
        shift
        while [ "$n" -gt 0 ]; do
                if "$@" 2>/dev/null; then return 0; fi
                sleep 0.02
                n=$((n - 1))
        done
        say "$kind: not in time: $*"
        return 1
}

pid_of() { cat "$dir/pid" 2>/dev/null; }
is_running() {
        local pid
        pid=$(pid_of) && [ -n "$pid" ] && [ -e "/proc/$pid" ] && [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ]
}

# The process and what it started, by process group where it has its own, else by parent.
end_all() {
        local pid children
        pid=$(pid_of) || return 0
        [ -n "$pid" ] || return 0
        children=$(cat /proc/"$pid"/task/*/children 2>/dev/null)
        # shellcheck disable=SC2086
        kill -KILL "$pid" $children 2>/dev/null
        wait_until 10 not_running
        rm -f "$dir/pid"
}
not_running() { ! is_running; }

#
# nginx
#

nginx_make() {
        local user=
        [ "$(id -u)" != 0 ] || user='user root;'
        cat >"$dir/nginx.conf" <<EOF
$user
worker_processes 2;
pid $dir/pid;
error_log $dir/error.log;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $dir/tmp/body;
    proxy_temp_path $dir/tmp/proxy;
    fastcgi_temp_path $dir/tmp/fastcgi;
    uwsgi_temp_path $dir/tmp/uwsgi;
    scgi_temp_path $dir/tmp/scgi;
    include $dir/tally.d/*.conf;
    include $dir/extra/*.conf;
}
EOF
        mkdir -p "$dir/tmp"
}
nginx_run() { nginx -e "$dir/error.log" -c "$dir/nginx.conf" "$@"; }
nginx_start() { nginx_run && wait_until 10 is_running; }
nginx_stop() { end_all; }
nginx_test() { nginx_run -t; }
nginx_reload() { nginx_run -s reload; }

#
# HAProxy
#

haproxy_make() {
        cat >"$dir/haproxy.cfg" <<EOF
global
    stats socket $dir/haproxy.sock level admin
    maxconn 500
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
EOF
}
haproxy_files() { echo "-f $dir/haproxy.cfg -f $dir/tally.d -f $dir/extra"; }
# shellcheck disable=SC2046
haproxy_start() {
        haproxy -W -D -p "$dir/pid" $(haproxy_files) >>"$dir/log" 2>&1 </dev/null && wait_until 10 test -S "$dir/haproxy.sock"
}
haproxy_stop() { end_all; }
# shellcheck disable=SC2046
haproxy_test() { haproxy -c $(haproxy_files); }
haproxy_reload() { kill -USR2 "$(pid_of)"; }

#
# Caddy
#

caddy_make() {
        cat >"$dir/caddy.json" <<EOF
{"admin": {"listen": "unix/$dir/caddy.sock"},
 "apps": {"http": {"servers": {"operator": {"listen": ["127.0.0.1:${OPERATOR_PORT:-1}"], "automatic_https": {"disable": true},
  "routes": [{"handle": [{"@id": "tally_ops", "handler": "subroute"}]}]}}}}}
EOF
}
caddy_start() {
        local -a how=(--config "$dir/caddy.json")
        [ ! -e "$dir/caddy/autosave.json" ] || how=(--resume)
        rm -f "$dir/caddy.sock"
        HOME=$dir XDG_CONFIG_HOME=$dir XDG_DATA_HOME=$dir setsid caddy run "${how[@]}" >>"$dir/log" 2>&1 </dev/null &
        echo $! >"$dir/pid"
        wait_until 20 caddy_answers
}
caddy_answers() { curl -sf -o /dev/null --unix-socket "$dir/caddy.sock" -H 'Host;' http://x/config/; }
caddy_stop() { end_all; }
caddy_test() { :; }
caddy_reload() { :; }

#
# Traefik
#

traefik_make() { :; }
traefik_start() {
        setsid python3 "$here/traefik_files.py" "$dir/tally.d" "$ADMIN_PORT" "web=127.0.0.1:$LISTEN_PORT" >>"$dir/log" 2>&1 </dev/null &
        echo $! >"$dir/pid"
        wait_until 20 curl -sf -o /dev/null "http://127.0.0.1:$ADMIN_PORT/api/version"
}
traefik_stop() { end_all; }
traefik_test() { :; }
traefik_reload() { :; }

memory_make() { :; }
memory_start() { :; }
memory_stop() { :; }
memory_test() { :; }
memory_reload() { :; }

case $verb in
available)
        case $kind in
        memory) exit 0 ;;
        traefik) command -v python3 >/dev/null ;;
        *) command -v "$kind" >/dev/null ;;
        esac
        ;;
start)
        mkdir -p "$dir/tally.d" "$dir/extra"
        [ -e "$dir/made" ] || { "${kind}_make" && : >"$dir/made"; }
        "${kind}_start"
        ;;
stop | test | reload) "${kind}_$verb" ;;
*) say "unknown verb $verb"; exit 2 ;;
esac
