#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the cases of meson test runs, and prints what went wrong and what took long.

    summary.py log [--label TEXT] [--clock DIR] RESULTS testlog.json
    summary.py end RESULTS

`log` prints every failed test with its output, and why others were skipped, and adds a line for each test to the file RESULTS:
suite, test, seconds, seconds of the processor, cases passed, failed, skipped, with tabs between. tests/run adds lines of its
own. A test that speaks TAP (cmocka with CMOCKA_MESSAGE_OUTPUT=TAP, our scripts) counts with its cases, any other as one. A test
that ends badly without saying which case failed counts one failure more. DIR is what tests/lib/clock wrote to.

`end` prints a table of the suites, the slowest tests, and the totals. It ends with 1 when a case failed.
"""

import argparse
import collections
import json
import os
import re
import sys

OUTPUT_LINES = 80
SLOWEST = 10
RESULT = re.compile(r'^(not ok|ok)\b(.*)$', re.MULTILINE)
NAME = re.compile(r'^(?:[^:/ ]*:)?(\S+) / (.*)$')  # "project:suite / test"
TIMES = re.compile(r'(\d+)m([\d.]+)s')

Result = collections.namedtuple('Result', 'suite test seconds processor passed failed skipped')


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


def processor_times(folder):
    """Seconds of the processor by command."""
    times = {}
    for name in os.listdir(folder) if folder else ():
        with open(os.path.join(folder, name), encoding='utf-8', errors='replace') as f:
            *command, shell, children = f.read().splitlines()
            spent = TIMES.findall(shell + children)
        times['\n'.join(command)] = sum(int(minutes) * 60 + float(seconds) for minutes, seconds in spent)
    return times


def log(label, folder, results, path):
    times = processor_times(folder)
    with open(path, encoding='utf-8', errors='replace') as lines:
        tests = [json.loads(line) for line in lines if line.strip()]
    with open(results, 'a', encoding='utf-8') as out:
        for test in tests:
            passed, failed, skipped = count_cases(test)
            suite, name = NAME.match(test['name']).groups()
            command = ' '.join(test['command'][1:]) if folder else ''
            row = Result(label + suite, name, f'{test["duration"]:.1f}', f'{times.get(command, 0):.1f}', passed, failed, len(skipped))
            print(*row, sep='\t', file=out)
            if failed:
                print(f'FAILED {label}{suite}:{name} ({test["result"].lower()}, {test["duration"]:.1f} s)')
                print_output(test)
            for why in skipped:
                print(f'skipped {label}{suite}:{name}: {why}')


def minutes(seconds):
    return f'{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d}'


def end(results):
    with open(results, encoding='utf-8') as lines:
        rows = [Result(*line.rstrip('\n').split('\t')) for line in lines]
    rows = [Result(r.suite, r.test, float(r.seconds), float(r.processor), int(r.passed), int(r.failed), int(r.skipped)) for r in rows]
    suites = {}
    for row in rows:
        suites.setdefault(row.suite, []).append(row)
    print(f'{"suite":<24} {"tests":>5} {"passed":>7} {"failed":>7} {"skipped":>7} {"waited":>7} {"processor":>9}')
    for suite, tests in suites.items():
        sums = [sum(getattr(t, field) for t in tests) for field in ('passed', 'failed', 'skipped', 'seconds', 'processor')]
        print(f'{suite:<24} {len(tests):>5} {sums[0]:>7} {sums[1]:>7} {sums[2]:>7} {minutes(sums[3]):>7} {minutes(sums[4]):>9}')
    print('the slowest tests:')
    slowest = sorted((r for r in rows if r.suite != 'builds'), key=lambda r: -r.seconds)[:SLOWEST]
    for row in slowest:
        print(f'  {row.seconds:7.1f} s, {row.processor:6.1f} s of the processor: {row.suite}:{row.test}')
    passed, failed, skipped = (sum(getattr(r, field) for r in rows) for field in ('passed', 'failed', 'skipped'))
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest='verb', required=True)
    verb = verbs.add_parser('log')
    verb.add_argument('--label', default='')
    verb.add_argument('--clock')
    verb.add_argument('results')
    verb.add_argument('path')
    verb = verbs.add_parser('end')
    verb.add_argument('results')
    arguments = parser.parse_args()
    if arguments.verb == 'end':
        return end(arguments.results)
    log(arguments.label, arguments.clock, arguments.results, arguments.path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
