#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Includes follow the order of the folders: none runs upwards, no two folders form a circle, no private header leaves
# its folder.
#
#   folders.sh SOURCE ORDER

set -euo pipefail

source=$1 order=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Prints a line for each breach of ORDER by the tree in SOURCE.
breaches() {
        (cd "$1" && grep -rnE '^[ \t]*#[ \t]*include[ \t]+"' --include='*.[ch]' shared policies providers reconciler) |
        awk -v order="$2" '
        function folder_of(path,   f) {
                for (f = path; sub("/[^/]*$", "", f); )
                        if (f in place)
                                return f
                return ""
        }
        function say(text) { print text; bad = 1 }

        BEGIN {
                while ((getline line < order) > 0) {
                        n = split(line, word, " ")
                        if (n == 0 || word[1] ~ /^#/)
                                continue
                        if (word[1] == "face") {
                                has_face[word[2]] = 1
                                for (i = 3; i <= n; i++)
                                        face[word[2], word[i]] = 1
                                continue
                        }
                        if (word[1] == "never") {
                                for (i = 3; i <= n; i++)
                                        if ((word[2], word[i]) in uses)
                                                say(order ": " word[2] " must never see " word[i])
                                continue
                        }
                        if (word[1] in place)
                                say(order ": " word[1] " stands there twice")
                        place[word[1]] = ++count
                        name[count] = word[1]
                        for (i = 2; i <= n; i++) {
                                if (!(word[i] in place) || word[i] == word[1])
                                        say(order ": " word[1] " uses " word[i] ", which does not stand above it")
                                uses[word[1], word[i]] = 1
                                for (k = 1; k < count; k++)
                                        if ((word[i], name[k]) in uses)
                                                uses[word[1], name[k]] = 1
                        }
                }
        }
        {
                split($0, at, ":")
                from = folder_of(at[1])
                header = $0
                sub(/^[^"]*"/, "", header)
                sub(/".*/, "", header)
                to = folder_of(header)
                if (header !~ /^(shared|policies|providers|reconciler)\//)
                        say(at[1] ":" at[2] ": \"" header "\" is not named from the root")
                else if (header == "reconciler/version.h" || from == "" && at[1] ~ /main\.c$/)
                        next
                else if (from == "" || to == "")
                        say(at[1] ":" at[2] ": " (from == "" ? at[1] : header) " stands in no folder of the order")
                else if (from != to && !((from, to) in uses))
                        say(at[1] ":" at[2] ": " from " may not include " header)
                else if (from != to && to in has_face && !((to, substr(header, length(to) + 2)) in face))
                        say(at[1] ":" at[2] ": " header " is private to " to)
        }
        END { exit bad }'
}

number=0 failed=0
result() {
        number=$((number + 1))
        [ "$1" = ok ] || failed=1
        echo "$1 $number - $2"
}

breaches "$source" "$order" >"$dir/found" && result ok "includes follow the order" || {
        sed 's/^/# /' "$dir/found"
        result "not ok" "includes follow the order"
}

# Each kind of breach, in a tree and an order of its own, is found.
mkdir -p "$dir"/tree/{shared/low,shared/high,policies,providers,reconciler}
expect() { # WHAT FILE INCLUDE PATTERN [LINE OF THE ORDER]
        printf 'shared/low\nshared/high shared/low\n%s\nface shared/low low.h\n' "${5:-}" >"$dir/order"
        printf '#include "%s"\n' "$3" >"$dir/tree/$2"
        if breaches "$dir/tree" "$dir/order" >"$dir/found"; then
                result "not ok" "$1"
        elif grep -q "$4" "$dir/found"; then
                result ok "$1"
        else
                sed 's/^/# /' "$dir/found"
                result "not ok" "$1"
        fi
        rm "$dir/tree/$2"
}
expect "an include upwards is found" shared/low/x.c shared/high/high.h "shared/low may not include"
expect "a private header is found" shared/high/x.c shared/low/low_private.h "private to shared/low"
expect "a folder that the order does not name is found" policies/x.c shared/low/low.h "no folder of the order"
expect "a circle in the order is found" shared/high/x.c shared/low/low.h "does not stand above it" \
        "policies providers"
expect "a folder that is not to be seen is found" shared/high/x.c shared/low/low.h "must never see" \
        "never shared/high shared/low"

echo "1..$number"
exit $failed
