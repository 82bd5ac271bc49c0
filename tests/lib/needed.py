#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What of a build is needed: files for ninja, one a line.

usage: needed.py DIR SUITE[:TEST]…   what these suites, or these tests of them, run
       needed.py DIR                 every object and the programs of the product: what a compiler has to say, without linking a test
"""

import json
import os
import subprocess
import sys


def introspect(folder, what):
    done = subprocess.run(["meson", "introspect", folder, "--" + what], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def chosen(tests, name):
    suite, _, only = name.partition(":")
    found = [t for t in tests if suite in {s.split(":")[-1] for s in t["suite"]} and only in ("", t["name"])]
    if not found:
        sys.exit(f"there is no {'test' if only else 'suite'} {name}")
    return found


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    files = {target["id"]: target["filename"] for target in introspect(folder, "targets")}
    if names:
        tests = introspect(folder, "tests")
        wanted = {file for name in names for test in chosen(tests, name) for id in test["depends"] for file in files[id]}
    else:
        listed = subprocess.run(["ninja", "-C", folder, "-t", "targets", "rule", "c_COMPILER"], stdout=subprocess.PIPE, text=True, check=True)
        wanted = {line for line in listed.stdout.splitlines() if line.endswith(".o")}
        wanted |= {f"reconciler/{name}" for name in ("tally", "tally-full", "tallyd/tallyd")}
    for file in sorted(wanted):
        print(os.path.relpath(os.path.realpath(file), os.path.realpath(folder)) if os.path.isabs(file) else file)


if __name__ == "__main__":
    main()
