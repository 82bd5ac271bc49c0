#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What of a build is needed: files for ninja, one a line.

usage: needed.py DIR SUITE…      what the tests of these suites run
       needed.py DIR             every object and the programs of the product: what a compiler has to say, without linking a test
"""

import json
import os
import subprocess
import sys


def introspect(folder, what):
    done = subprocess.run(["meson", "introspect", folder, "--" + what], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main():
    folder, suites = sys.argv[1], set(sys.argv[2:])
    files = {target["id"]: target["filename"] for target in introspect(folder, "targets")}
    if suites:
        tests = [t for t in introspect(folder, "tests") if suites & {suite.split(":")[-1] for suite in t["suite"]}]
        wanted = {file for test in tests for id in test["depends"] for file in files[id]}
    else:
        listed = subprocess.run(["ninja", "-C", folder, "-t", "targets", "rule", "c_COMPILER"], stdout=subprocess.PIPE, text=True, check=True)
        wanted = {line for line in listed.stdout.splitlines() if line.endswith(".o")}
        wanted |= {f"reconciler/{name}" for name in ("tally", "tally-full", "tallyd/tallyd")}
    for file in sorted(wanted):
        print(os.path.relpath(os.path.realpath(file), os.path.realpath(folder)) if os.path.isabs(file) else file)


if __name__ == "__main__":
    main()
