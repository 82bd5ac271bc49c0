#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks against what they are made for: containers of a real engine, and a real Prometheus server that scrapes.
#
# usage: checks.sh TEST-PROGRAM [store=containerd]

set -euo pipefail

program=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/engine.sh
. "$here/lib/engine.sh"

for tool in prometheus python3; do
        command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done
engine_available || { echo "skipped: no engine on this machine"; exit 77; }
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

dir=$(temporary_dir)
stub_pid='' prometheus_pid=''
cleanup() {
        local pid
        for pid in $stub_pid $prometheus_pid; do
                kill -KILL "$pid" 2>/dev/null || :
        done
        engine_stop "$dir/engine"
        registry_stop "$dir/registry"
        rm -rf "$dir"
}
trap cleanup EXIT

# What is scraped, and what the misbehaving server says.
cat >"$dir/script.json" <<'END'
{ "metrics": "error_ratio{release=\"sha256:new\"} 0.5\nerror_ratio{release=\"sha256:old\"} 0.2\nerror_ratio{release=\"sha256:same\"} 0.2\nrequests{release=\"sha256:new\"} 12\nrequests{release=\"sha256:old\"} 3\nrequests{release=\"it's \\\"\\\\ `\\n\u00e4\"} 7\nrequests{release=\"sha256:idle\"} 0\n",
  "answers": {
    "fine": {"body": "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"3\"]}}"},
    "busy": {"status": 503, "body": "<html>busy</html>"},
    "late": {"delay": 5, "body": "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"3\"]}}"},
    "cut": {"cut": 20, "body": "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"3\"]}}"},
    "moved": {"status": 302, "location": "/api/v1/query?query=fine"},
    "partial": {"body": "{\"status\":\"success\",\"warnings\":[\"one store did not answer\"],\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"3\"]}}"}
  } }
END
python3 "$here/lib/prometheus_stub.py" "$dir/script.json" >"$dir/stub.port" 2>"$dir/stub.log" &
stub_pid=$!
disown "$stub_pid"
for ((i = 0; i < 200; i++)); do
        [ ! -s "$dir/stub.port" ] || break
        sleep 0.05
done
TEST_STUB=http://127.0.0.1:$(cat "$dir/stub.port")

cat >"$dir/prometheus.yml" <<END
global: {scrape_interval: 500ms}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ["${TEST_STUB#http://}"]}]
END

# prometheus_start: on a port that was free a moment ago; somebody else may take it in between
prometheus_start() {
        local attempt port i
        for attempt in 1 2 3 4 5; do
                port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
                prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb-$attempt" --log.level=warn \
                        --web.listen-address="127.0.0.1:$port" >"$dir/prometheus.log" 2>&1 &
                prometheus_pid=$!
                disown "$prometheus_pid"
                for ((i = 0; i < 600; i++)); do
                        engine_running "$prometheus_pid" || break
                        # There once it has scraped.
                        if curl -sS --max-time 5 "http://127.0.0.1:$port/api/v1/query?query=requests" 2>/dev/null | grep sha256:idle >/dev/null; then
                                TEST_PROMETHEUS=http://127.0.0.1:$port
                                return 0
                        fi
                        sleep 0.1
                done
                kill -KILL "$prometheus_pid" 2>/dev/null || :
        done
        echo "prometheus did not come up:" >&2
        tail -n 20 "$dir/prometheus.log" >&2
        return 1
}

prometheus_start
engine_start "$dir/engine" "$@"
registry_start "$dir/registry"
TEST_V1=$(image_make shop/web "version 1")
# The engine's socket is its group's: somebody of that group must get to it.
chmod 711 "$dir"
export TEST_V1 TEST_STUB TEST_PROMETHEUS TEST_DIR=$dir
"$program"
