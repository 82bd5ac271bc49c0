#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What docs/ says is so: tables, manual pages, examples.
#
#   docs.sh SOURCE TALLY TALLYD SCDOC
#
# Blocks of the documents that are marked are carried out, document by document, in an empty folder each:
#
#   ```yaml file=PATH     (or text file=PATH) is written to PATH; a document with trust/allowed_signers among its files
#                         is a desired state, and read by `tally check`
#   ```sh run             is run by bash -e, with tally in PATH, below a ledger made by a host without an engine (see
#                         make_ledger): the clone of it is the working folder, host.pub the host's key
#
# SCDOC may be empty: then the pages are not rendered.

set -uo pipefail

source=$(cd "$1" && pwd) tally=$(realpath "$2") tallyd=$(realpath "$3") scdoc=${4:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C.UTF-8 HOME=$dir/home GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$dir/home/gitconfig
unset TALLY_CONFIG SSH_AUTH_SOCK GIT_DIR GIT_WORK_TREE JOURNAL_STREAM RUNTIME_DIRECTORY
mkdir -p "$dir/home"
PATH=$(dirname "$tally"):$PATH

number=0 failed=0
# check NAME COMMAND…: one case; what the command prints is shown when it fails
check() {
        local name=$1
        shift
        number=$((number + 1))
        if "$@" >"$dir/said" 2>&1; then
                echo "ok $number - $name"
        else
                echo "not ok $number - $name"
                sed 's/^/# /' "$dir/said"
                failed=1
        fi
}

same() {
        diff -u "$1" "$2" | sed '1,2d'
        cmp -s "$1" "$2"
}

#
# Tables
#

reasons_fit() {
        sed -n 's/^ *X(\([A-Z_]*\), *"\(.*\)").*$/\1 | \2/p' "$source/shared/base/reason.h" | sed 's/\\"/"/g' >"$dir/a"
        sed -n 's/^| `\([A-Z_]*\)` | \([^|]*\) |.*$/\1 | \2/p' "$source/docs/reasons.md" >"$dir/b"
        [ "$(wc -l <"$dir/a")" -gt 40 ] && same "$dir/a" "$dir/b"
}

# Every key of a kind stands in its section of the document.
kind_fits() {
        local kind=$1 keys key section
        keys=$("$tally" schema "$kind" | jq -r '
                def keys_of: .properties // {} | to_entries[] | .key as $k
                        | $k, ((.value | keys_of) | "\($k).\(.)");
                keys_of' | grep -vxE 'apiVersion|kind') || return 1
        section=$(sed -n "/^## $kind\$/,/^## /p" "$source/docs/desired-state.md")
        for key in $keys; do
                grep -qE "\`${key//./\\.}\`|\`${key##*.}\`" <<<"$section" || { echo "$kind: $key is not described"; return 1; }
        done
        for key in $(grep -oE '^\| `[a-z_.]+`(, `[a-z_.]+`)*' <<<"$section" | grep -oE '[a-z_.]+'); do
                grep -qxF "$key" <<<"$keys" || { echo "$kind: there is no key $key"; return 1; }
        done
}

checks_fit() {
        local keys documented
        # A check is one element of a list, whose keys kind_fits does not reach.
        keys=$("$tally" schema App | jq -r '
                def keys_of: .properties // {} | to_entries[] | .key as $k
                        | if .value.properties then .value | keys_of | "\($k).\(.)" else $k end;
                .properties.checks.items | keys_of' | sort) || return 1
        documented=$(sed -n 's/^| \(`[^|]*`\) |.*/\1/p' "$source/docs/checks.md" | grep -oE '[a-z_.]+' | sort)
        [ "$(wc -l <<<"$keys")" -ge 20 ] && diff - <(echo "$documented") <<<"$keys"
}

compose_fits() {
        local keys documented
        keys=$("$tally" schema Compose | jq -r '.properties.services.additionalProperties
                | if has("$ref") then error("a reference") else . end | .properties | keys[]') || return 1
        documented=$(sed -n '/^## Services$/,/^## /p' "$source/docs/compose-support.md" |
                sed -n 's/^| \(`[^|]*`\) |.*/\1/p' | grep -oE '[a-z_]+' | sort -u)
        diff <(sort -u <<<"$keys") - <<<"$documented"
}

refusals_fit() {
        local keys documented
        keys=$(sed -n '/of_service\[\]/,/};/p' "$source/shared/compose/refuse.c" | grep -oE '^ *\{ "[a-z_]+"' | grep -oE '[a-z_]+' | sort)
        documented=$(sed -n '/^## Refused$/,/^## /p' "$source/docs/compose-support.md" |
                sed -n 's/^| \(`[^|]*`\) |.*/\1/p' | grep -oE '[a-z_]+' | sort -u)
        diff - <(echo "$documented") <<<"$keys"
}

configuration_fits() {
        local page=$source/docs/man/tally.yaml.5.scd keys
        # From the table itself: [a-z_]+ keys, those of a part with its name before them.
        keys=$(awk '
                /^static const struct field [a-z_]+_fields/ { part = $5; sub(/_fields.*/, "", part); gsub(/_/, ".", part) }
                match($0, /\.key = "[a-z_]+"/) { key = substr($0, RSTART + 8, RLENGTH - 9) }
                /\.type = / && !/FIELD_STRUCT/ { print (part == "config" ? "" : part ".") key
                }' "$source/reconciler/config/config.c" | sort)
        [ "$(wc -l <<<"$keys")" -ge 15 ] && diff - <(sed -n '/^# KEYS/,/^# EX/s/^\*\([a-z_.]*\)\*$/\1/p' "$page" | sort) <<<"$keys"
}

catalog_fits() {
        diff <(sed -n 's/^#define MESSAGE_[A-Z_]* *"\([0-9a-f]*\)".*/\1/p' "$source/reconciler/journal/message.h" | sort) \
                <(sed -n 's/^-- \([0-9a-f]*\)$/\1/p' "$source/contrib/systemd/tallyman.catalog" | sort)
}

exit_codes_fit() {
        diff <(sed -n 's/^ *EXIT_[A-Z_]* = \([0-9]\),.*/\1/p' "$source/reconciler/cli/cli.h") \
                <(sed -n 's/^| \([0-9]\) |.*/\1/p' "$source/docs/exit-codes.md")
}

links_lead_somewhere() {
        local file link broken=
        for file in "$source"/README.md "$source"/*/README.md "$source"/docs/*.md; do
                for link in $(grep -oE '\]\([^)#]+' "$file" | sed 's/^](//' | grep -v '://'); do
                        [ -e "$(dirname "$file")/$link" ] || { echo "$file: $link"; broken=yes; }
                done
        done
        [ -z "$broken" ]
}

# Each story names tests that are there: of a script the words that it prints, of a unit test a function that is run.
stories_fit() {
        local file words n=0 missing=
        while IFS=$'\t' read -r file words; do
                n=$((n + 1))
                case $file in
                *.c) [ "$(grep -cwF -- "$words" "$source/$file")" -ge 2 ] ;;
                *) grep -qF -- "$words" <(grep -vE '^ *#' "$source/$file") ;;
                esac || { echo "$file does not prove: $words"; missing=yes; }
        done < <(sed -n 's/^| .* | .* | \(`tests.*\) |$/\1/p' "$source/docs/stories.md" | sed 's/<br>/\n/g' | sed 's/^`\([^`]*\)`: /\1\t/')
        [ -z "$missing" ] && [ "$n" -ge 70 ] && [ "$n" -ge "$(grep -o '`tests/[a-z/_-]*\.[a-z]*`' "$source/docs/stories.md" | wc -l)" ]
}

check "reasons.md is shared/base/reason.h" reasons_fit
for kind in Fleet Host Environment App Release; do
        check "desired-state.md describes each key of $kind" kind_fits "$kind"
done
check "checks.md lists each key of a check" checks_fit
check "compose-support.md lists each key of a service" compose_fits
check "compose-support.md lists what is refused" refusals_fit
check "tally.yaml(5) describes each key" configuration_fits
check "each message id has an entry of the catalog" catalog_fits
check "exit-codes.md lists the exit codes" exit_codes_fit
check "stories.md names tests that are there" stories_fit
check "links lead somewhere" links_lead_somewhere

#
# Manual pages
#

# The page says what --help says: how it is called, and each option.
page_fits() {
        local verb=$1 page=$source/docs/man/tally-$1.1.scd usage
        "$tally" "$verb" --help >"$dir/help" || return 1
        [ -f "$page" ] || { echo "there is no $page"; return 1; }
        usage=$(sed -n 's/^usage: //p' "$dir/help")
        diff <(echo "$usage") <(sed -n '/^# SYNOPSIS/,/^# DESC/s/^\*\(tally [a-z]*\)\*/\1/p' "$page") || return 1
        diff <(sed -n 's/^  --\([a-z-]*\)\( [A-Z][A-Za-z]*\)\{0,1\} .*/--\1\2/p' "$dir/help" | sort) \
                <(sed -n '/^# OPTIONS/,/^# E/s/^\*\(--[a-z-]*\)\*/\1/p' "$page" | sort) || return 1
        # The example of --help is in the page, too.
        grep -qxF "$(sed -n '/^example:/,$s/^  //p' "$dir/help")" "$page" || { echo "its example is not the one of --help"; return 1; }
}

verbs=$("$tally" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
check "there are fourteen verbs" test "$(wc -w <<<"$verbs")" -eq 14
for verb in $verbs; do
        check "tally-$verb(1) says what --help says" page_fits "$verb"
done

overview_fits() {
        diff <(tr ' ' '\n' <<<"$verbs" | sort) \
                <(sed -n '/^# VERBS/,/^# OPT/s/^\*\([a-z]*\)\*$/\1/p' "$source/docs/man/tally.1.scd" | sort)
}
tallyd_fits() {
        diff <("$tallyd" --help | grep -oE '^  --[a-z-]+( [A-Z]+)?' | sed 's/^  //' | sort) \
                <(sed -n '/^# OPTIONS/,/^# SIG/s/^\*\(--[a-z-]*\)\*/\1/p' "$source/docs/man/tallyd.8.scd" | sed 's/, .*//' | sort)
}
fleet_page_fits() {
        local kind key
        for kind in Fleet Host Environment App Release; do
                for key in $("$tally" schema "$kind" | jq -r '.properties | keys[]' | grep -vxE 'apiVersion|kind'); do
                        sed -n "/^# ${kind^^}\$/,/^# /p" "$source/docs/man/tally-fleet.5.scd" | grep -E "\*$key(\*|\.)" >/dev/null ||
                                { echo "$kind: $key"; return 1; }
                done
        done
}
check "tally(1) lists the verbs" overview_fits
check "tallyd(8) says what --help says" tallyd_fits
check "tally-fleet(5) describes each key" fleet_page_fits

renders() {
        local page
        for page in "$source"/docs/man/*.scd; do
                "$scdoc" <"$page" >"$dir/page" || { echo "$page"; return 1; }
        done
        diff <(cd "$source/docs/man" && ls ./*.scd | sed 's/^..//; s/\.scd$//' | sort) \
                <(sed -n "s/^ *'\(tally[a-z.-]*[0-9]\)',$/\1/p" "$source/docs/meson.build" | sort)
}
if [ -n "$scdoc" ]; then
        check "every page can be rendered, and is installed" renders
fi

#
# Examples
#

# blocks DOCUMENT FOLDER: its files to FOLDER, its scripts to FOLDER.sh
blocks() {
        mkdir -p "$2"
        awk -v folder="$2" '
                /^```/ && open { close(out); open = 0; next }
                /^```/ {
                        open = 1
                        out = "/dev/null"
                        if (match($0, /file=[^ ]+/)) {
                                out = folder "/" substr($0, RSTART + 5, RLENGTH - 5)
                                path = out
                                sub(/\/[^\/]*$/, "", path)
                                system("mkdir -p \047" path "\047")
                        } else if ($0 ~ /^```sh run$/)
                                out = folder ".sh"
                        next
                }
                open { print >> out }' "$1"
}

# A host with an app that the runtime for tests carries: the same ledger as any other host's.
make_ledger() {
        local fleet=$dir/made/fleet
        mkdir -p "$dir/made" && cd "$dir/made" || return 1
        ssh-keygen -q -t ed25519 -N '' -C alice -f alice
        git init -q --bare -b main fleet.git
        git init -q -b main fleet
        git -C fleet config user.name alice
        git -C fleet config user.email alice@example
        git -C fleet config gpg.format ssh
        git -C fleet config user.signingKey "$PWD/alice.pub"
        mkdir -p fleet/trust fleet/hosts fleet/apps/shop fleet/environments/prod
        echo "alice@example namespaces=\"git\" $(cut -d' ' -f1-2 alice.pub)" >allowed_signers
        cp allowed_signers fleet/trust/
        "$tally" --quiet --config tally.yaml init --repository "$PWD/fleet.git" --host web1 --trust allowed_signers \
                --state state >fleet/hosts/web1.yaml || return 1
        printf 'apiVersion: tallyman/v1\nkind: App\napp: shop\nruntime: fake\nrollout: {min_healthy_time: 0s}\n' >fleet/apps/shop/app.yaml
        printf 'services:\n  web:\n    image: registry.example/shop/web\n' >fleet/apps/shop/compose.yaml
        printf 'apiVersion: tallyman/v1\nkind: Release\napp: shop\nversion: "1"\nimages:\n  web: registry.example/shop/web@sha256:%064d\n' 1 \
                >fleet/environments/prod/shop.yaml
        git -C fleet add -A && git -C fleet commit -q -S -m "A fleet" && git -C fleet push -q ../fleet.git main || return 1
        "$tally" --config tally.yaml sync --timeout 30s || return 1
        git clone -q --branch tally/web1 fleet.git ledger
        cut -d' ' -f1-2 state/id_ed25519.pub >ledger/host.pub
        cp tally.yaml ledger/
        cp allowed_signers ledger/
}

check "a host without an engine keeps a ledger" make_ledger
cd "$dir" || exit 1
for document in "$source"/README.md "$source"/docs/*.md; do
        name=${document#"$source/"}
        name=${name//\//-}
        name=${name%.md}
        blocks "$document" "$dir/blocks/$name"
        if [ -f "$dir/blocks/$name/trust/allowed_signers" ] && [ -d "$dir/blocks/$name/hosts" ]; then
                check "the example of $name.md is a valid desired state" "$tally" check "$dir/blocks/$name"
        fi
        if [ -f "$dir/blocks/$name.sh" ]; then
                rm -rf "$dir/run"
                cp -r "$dir/made" "$dir/run"
                check "the commands of $name.md work" env -C "$dir/run/ledger" bash -euo pipefail "$dir/blocks/$name.sh"
        fi
done
# The other half of a test: a document that is wrong does not pass.
sed -i 's/@sha256:[0-9a-f]*//' "$dir/blocks/docs-desired-state/environments/prod/shop.yaml"
tag_is_found() {
        local status=0
        "$tally" --json check "$dir/blocks/docs-desired-state" >"$dir/fault" || status=$?
        [ "$status" -eq 2 ] && [ "$(jq -r .fault.code "$dir/fault")" = LOAD_TAG_ONLY ]
}
check "an example with a tag alone is found" tag_is_found

echo "1..$number"
exit $failed
