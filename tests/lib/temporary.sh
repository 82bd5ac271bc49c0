# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
#   temporary_dir     prints a new folder with a short name (unix sockets have 107 characters)
#
# In memory where the machine has room for it: a pass syncs well over a hundred files, an engine more, and no test cuts the power. The tests then
# wait for what they test and not for each other's disk.

temporary_dir() {
        local at=/tmp
        ! temporary_memory /dev/shm || at=/dev/shm
        mktemp -d "$at/tally.XXXXXX"
}

# temporary_memory FOLDER: it has a GiB free, the machine has two, and programs can be run from it
temporary_memory() {
        local free try code=0
        free=$(df -k --output=avail "$1" 2>/dev/null | tail -n 1)
        [ "${free:-0}" -ge 1048576 ] && awk '$1 == "MemAvailable:" { exit $2 < 2097152 }' /proc/meminfo || return 1
        try=$(mktemp "$1/tally-try.XXXXXX" 2>/dev/null) || return 1
        printf '#!/bin/sh\n' >"$try"
        chmod 700 "$try"
        "$try" 2>/dev/null || code=1
        rm -f "$try"
        return "$code"
}
