#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the cases of a meson test run, and prints what went wrong.

    summary.py [--label TEXT] testlog.json...

Prints every failed test with its output, and why others were skipped, then a line "passed failed skipped" for
tests/run to add up. A test that speaks TAP (cmocka with CMOCKA_MESSAGE_OUTPUT=TAP, our scripts) counts with its cases,
any other as one. A test that ends badly without saying which case failed counts one failure more.
"""

import json
import re
import sys

OUTPUT_LINES = 80
RESULT = re.compile(r'^(not ok|ok)\b(.*)$', re.MULTILINE)


def count_cases(test):
    """Passed, failed and skipped cases of one test, and the skipped ones' lines."""
    passed = failed = 0
    skipped = []
    for word, rest in RESULT.findall(test.get('stdout') or ''):
        if re.search(r'#\s*skip', rest, re.IGNORECASE):
            skipped.append(rest.strip(' -'))
        elif word == 'ok':
            passed += 1
        else:
            failed += 1
    result = test['result']
    if result == 'SKIP':
        return 0, 0, [last_line(test)]
    if result in ('OK', 'EXPECTEDFAIL'):
        if passed + failed + len(skipped) == 0:
            passed = 1
    elif failed == 0:
        failed = 1
    return passed, failed, skipped


def last_line(test):
    for stream in ('stderr', 'stdout'):
        lines = (test.get(stream) or '').strip().splitlines()
        if lines:
            return lines[-1]
    return 'without a word'


def print_output(test):
    for stream in ('stdout', 'stderr'):
        lines = (test.get(stream) or '').rstrip().splitlines()
        if len(lines) > OUTPUT_LINES:
            print(f'    … {len(lines) - OUTPUT_LINES} lines before')
        for line in lines[-OUTPUT_LINES:]:
            print('    ' + line)


def main(arguments):
    label = ''
    if arguments[:1] == ['--label']:
        label, arguments = arguments[1], arguments[2:]
    totals = [0, 0, 0]
    for path in arguments:
        with open(path, encoding='utf-8', errors='replace') as log:
            tests = [json.loads(line) for line in log if line.strip()]
        for test in tests:
            passed, failed, skipped = count_cases(test)
            totals = [totals[0] + passed, totals[1] + failed, totals[2] + len(skipped)]
            name = f'{label}{test["name"]}'
            if failed:
                print(f'FAILED {name} ({test["result"].lower()}, {test["duration"]:.1f} s)')
                print_output(test)
            for why in skipped:
                print(f'skipped {name}: {why}')
    print(*totals)


if __name__ == '__main__':
    main(sys.argv[1:])
