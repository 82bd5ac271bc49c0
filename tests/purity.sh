#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The pure libraries call nothing that does I/O, tells the time or reads the environment.
#
#   purity.sh NM SYMBOLS IMPURE LIBRARY…
#
# SYMBOLS lists what they may call from outside themselves (tests/purity.symbols). IMPURE is a library known to do I/O:
# when it passes, the test itself is broken.

set -euo pipefail

nm=$1 allowed=$2 impure=$3
shift 3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# nm prints the members of an archive one after the other; "U" is undefined, "w" undefined and weak.
undefined() { $nm -u "$@" | awk '$1 == "U" || $1 == "w" || $1 == "v" { print $2 }' | sed 's/@.*//' | sort -u; }
defined() { $nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u; }

grep -vE '^(#|$)' "$allowed" >"$dir/patterns"

# Prints what LIBRARY may not call; what the libraries define among themselves is theirs.
forbidden() {
        local symbol pattern found
        undefined "$1" | comm -23 - "$dir/own" | while read -r symbol; do
                found=
                while read -r pattern; do
                        # shellcheck disable=SC2053
                        [[ $symbol != $pattern ]] || { found=yes; break; }
                done <"$dir/patterns"
                [ -n "$found" ] || echo "$symbol"
        done
}

number=0 failed=0
result() {
        number=$((number + 1))
        [ "$1" = ok ] || failed=1
        echo "$1 $number - $2"
}

defined "$@" >"$dir/own"
for library in "$@"; do
        name=$(basename "$library" .a)
        bad=$(forbidden "$library")
        if [ -z "$bad" ]; then
                result ok "${name#lib} is pure"
        else
                result "not ok" "${name#lib} is pure"
                echo "# it calls: $(echo "$bad" | tr '\n' ' ')"
        fi
done

: >"$dir/own"
defined "$impure" >"$dir/own"
bad=$(forbidden "$impure")
if grep -qxE 'openat(64)?|open(64)?' <<<"$bad" && grep -qx clock_gettime <<<"$bad"; then
        result ok "a library that opens files and reads the clock is found out"
else
        result "not ok" "a library that opens files and reads the clock is found out"
fi
echo "1..$number"
exit $failed
