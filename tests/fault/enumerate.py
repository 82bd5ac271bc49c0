#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pass is killed, or its disk fails, at every point where it changes a file or the host; what the next pass finds must be sound.

usage: enumerate.py TALLY POINTS.so HOW [--every N] [--at POINT] [--workers N] [SCENE…]

HOW is `kill`, or an error for the disk: `eio`, `enospc` (that call alone), `eio+`, `enospc+` (that one and all later ones), `short` (half is
written); or several, with commas. A scene is one of scene.sh; without any: all. With --every N only every Nth point is tried (where it begins differs from
scene to scene), and of those around effects and around the state files that a pass goes on from eight times as many. --at tries one
case and keeps its folder.

After the fault, at once:
  - as many instances are in service as the strategy promises; the router leads to nobody who stopped
  - when the disk failed: the pass ended by itself, and one that did not do its work said why
Then passes without a fault, until all is settled:
  - exactly the release that has to runs: all its instances, and nothing else
  - status, exit code and poison say so; a good release is never poisoned for what the disk did
  - the ledger is whole, here as at the remote; each record names the one before; every intent is closed once; all signatures verify
  - nothing is left behind: no temporary, no lock, no file set aside
  - one more pass has nothing to do
"""

import argparse
import base64
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KILLED = 137
DENSER = 8       # points just around state files and effects, against all others
SPARSER = 4      # those of a failing disk, against those of a kill
WRONG_MAX = 20
ERRORS = {"eio": "EIO", "enospc": "ENOSPC", "eio+": "EIO+", "enospc+": "ENOSPC+"}
TIMEOUT = 120
MEMORY = "/dev/shm"  # where an fsync costs nothing: what is killed here is a process, not a disk

# What a pass goes on from: points just before and after a change of these are the dense ones.
DENSE = re.compile(r"^(rename|link|unlink) .*/state/(rollouts/.*|[a-z-]+\.json|id_ed25519.*|(ledger|desired)\.git/refs/.*)$")
LEFT_BEHIND = re.compile(r"(^|/)\.tmp-|\.lock$|\.corrupt$|/tmp_object_git2_|\.git2_")


class Unsound(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Unsound(what)


class Host:
    """A fleet and its host in a folder that is put back to how the scene begins before every case."""

    def __init__(self, folder, tally, points, scene):
        name, wanted, web, api, codes = scene
        self.name, self.wanted, self.promised, self.codes = name, wanted, {"web": int(web), "api": int(api)}, [int(c) for c in codes.split(",")]
        self.tally, self.points = tally, points
        self.live, self.base, self.log = folder + "/live", folder + "/base", folder + "/points"
        self.state = self.live + "/state"
        os.mkdir(self.live)
        made = subprocess.run([HERE + "/scene.sh", tally, self.live, name], capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError(f"scene {name} cannot be made:\n{made.stdout}{made.stderr}")
        # Which of the folders for objects there are is chance (ids hash the time): with all of them, points keep their numbers.
        for repository in ("desired.git", "ledger.git"):
            for n in range(256 if os.path.isdir(f"{self.state}/{repository}/objects") else 0):
                os.makedirs(f"{self.state}/{repository}/objects/{n:02x}", exist_ok=True)
        os.rename(self.live, self.base)

    def restore(self):
        shutil.rmtree(self.live, ignore_errors=True)
        subprocess.run(["cp", "-a", self.base, self.live], check=True)

    def run(self, *arguments, fault=None):
        environment = dict(os.environ, HOME=self.live + "/home", GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8")
        if fault:
            environment.update(fault, LD_PRELOAD=self.points, FAULT_PROGRAM="tally-full", FAULT_UNDER=self.state, FAULT_LOG=self.log,
                               FAULT_SPARE=f"{self.state}/fake:{self.state}/routes")
        return subprocess.run([self.tally, "--config", self.live + "/etc/tally.yaml", *arguments], env=environment, text=True,
                              capture_output=True, timeout=TIMEOUT)

    def faulty(self, at, how):
        return self.run("pass", fault={"FAULT_AT": str(at), "FAULT_HOW": how})

    def count(self):
        """The points that there are when nothing fails, in order: "call path"."""
        self.restore()
        self.faulty(0, "count")
        with open(self.log) as f:
            return [line.rstrip("\n") for line in f]

    def document(self, name):
        try:
            with open(f"{self.state}/{name}") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def git(self, *arguments, repository="state/ledger.git"):
        done = subprocess.run(["git", "-C", f"{self.live}/{repository}", *arguments], capture_output=True)
        demand(done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout


#
# Invariants
#

def running(host, service=None):
    return [i for i in host.document("fake/world.json").get("instances", [])
            if i["app"] == "shop" and i["state"] == "running" and (service is None or i["service"] == service)]


def judge_service(host):
    """At any instant: what the strategy promises."""
    for service, promised in host.promised.items():
        healthy = [i for i in running(host, service) if i["health"] != "unhealthy"]
        demand(len(healthy) >= promised, f"{len(healthy)} of {service} in service, but {promised} were promised")
    routes = host.document("routes/memory.json").get("routes", {})
    targets = routes.get("shop", {}).get("route", {}).get("targets", [])
    reached = {e["address"] for i in running(host) for e in i.get("endpoints", [])}
    for target in targets:
        demand(target["address"] in reached, f"the route leads to {target['address']}, where nobody is")


def judge_rest(host):
    """When all is settled: one release, and all of it."""
    instances = [i for i in host.document("fake/world.json").get("instances", []) if i["app"] == "shop"]
    here = sorted(f"{i['service']} {i['version']} {i['state']}" for i in instances if i["service"] in ("web", "api"))
    wanted = [] if host.wanted == "none" else [f"{s} {host.wanted} running" for s in ("api", "web", "web")]
    demand(here == wanted, f"what runs is {here}, not {wanted}")
    demand(len({i["release"] for i in running(host)}) <= 1, "instances of two releases run")
    for instance in instances:
        demand(instance["service"] in ("web", "api") or instance["version"] == host.wanted, f"an orphan: {instance['id']} of {instance['service']}")


def judge_status(host, done):
    app = next((a for a in host.document("status.json").get("apps", []) if a["app"] == "shop"), None)
    demand(done.returncode in host.codes, f"the exit code is {done.returncode}: {done.stdout}{done.stderr}")
    if host.wanted == "none":
        demand(app is None, f"status tells of an app that was removed: {app}")
        demand(not os.path.exists(host.state + "/rollouts/shop.json"), "the state remembers an app that was removed")
        return
    demand(app["phase"] == "settled", f"the phase is {app['phase']}")
    demand(app["running"]["version"] == host.wanted, f"status says that {app['running']} runs")
    poisoned = 1 if 5 in host.codes else 0
    demand(len(app.get("poisoned", [])) == poisoned, f"poisoned: {app.get('poisoned')}")
    demand(not poisoned or app["desired"]["release"] in app["poisoned"], "the release that failed is not the one that is poisoned")


def records(host):
    """Every envelope of the ledger, in order: its bytes and its predicate."""
    names = host.git("ls-tree", "-r", "--name-only", "tally/web1", "evidence").decode().split()
    wanted = "".join(f"tally/web1:{name}\n" for name in sorted(names))
    out = subprocess.run(["git", "-C", host.state + "/ledger.git", "cat-file", "--batch"], input=wanted.encode(), capture_output=True, check=True).stdout
    found = []
    while out:
        head, _, out = out.partition(b"\n")
        size = int(head.split()[2])
        envelope, out = out[:size], out[size + 1:]
        found.append((envelope, json.loads(base64.b64decode(json.loads(envelope)["payload"]))["predicate"]))
    return found


def judge_ledger(host):
    demand(host.git("rev-parse", "tally/web1") == host.git("rev-parse", "tally/web1", repository="fleet.git"), "the remote has not all of the ledger")
    before, intents, closed = None, [], []
    for sequence, (envelope, record) in enumerate(records(host)):
        demand(record["seq"] == sequence, f"record {sequence} says {record['seq']}")
        prev = record.get("prev") or {}
        demand(prev.get("sha256", "").removeprefix("sha256:") == (before or ""), f"record {sequence} does not name the one before")
        before = hashlib.sha256(envelope).hexdigest()
        if record["recordType"] == "intent":
            intents.append(record["seq"])
        if record["recordType"] == "result" and record.get("execution", {}).get("intentSeq"):
            closed.append(record["execution"]["intentSeq"])
    demand(sorted(closed) == intents, f"intents {intents}, but closed are {closed}")
    findings = json.loads(host.run("--json", "doctor").stdout)["findings"]
    ledger = [f for f in findings if f["check"] == "ledger"]
    demand(ledger and all(f["severity"] == "ok" for f in ledger), f"doctor says {ledger}")


def judge_folder(host):
    for folder, folders, files in os.walk(host.state):
        for name in folders + files:
            path = os.path.join(folder, name)
            demand(not LEFT_BEHIND.search(path), f"left behind: {path}")


def judge_quiet(host, code):
    """One more look at everything changes nothing."""
    head, trace = host.git("rev-parse", "tally/web1"), host.document("fake/world.json").get("trace", [])
    quiet = f"{host.state}/quiet.json"
    if os.path.exists(quiet):
        os.unlink(quiet)
    done = host.run("pass")
    demand(done.returncode == code, f"one more pass ended with {done.returncode} instead of {code}: {done.stderr}")
    demand(host.git("rev-parse", "tally/web1") == head, "one more pass had something to record")
    new = [t for t in host.document("fake/world.json")["trace"][len(trace):] if t.split()[0] not in ("observe", "collect")]
    demand(not new, f"one more pass did {new}")


def settle(host):
    done = host.run("sync", "--timeout", "60s")
    judge_rest(host)
    judge_status(host, done)
    judge_ledger(host)
    judge_folder(host)
    judge_quiet(host, done.returncode)


#
# Cases
#

def kill(host, at):
    """Before the change: what was written until then is there, as after a power cut of a disk that obeys."""
    host.restore()
    done = host.faulty(at, "before")
    # A process of the pass was killed, and the pass itself said so, or all of it.
    demand(done.returncode in (KILLED, *host.codes) or (done.returncode > 0 and done.stderr.strip()), f"the pass ended with {done.returncode}: {done.stderr}")
    judge_service(host)
    settle(host)


def fail(host, at, how):
    host.restore()
    before = host.document("fake/world.json")
    done = host.faulty(at, how)
    demand(0 <= done.returncode <= 5, f"the pass ended with {done.returncode}: {done.stderr}")
    demand(done.returncode != 1 or done.stderr.strip(), "it failed and said nothing")
    judge_service(host)
    if at == 1 and how.endswith("+"):
        effects = [t for t in host.document("fake/world.json").get("trace", [])[len(before.get("trace", [])):]
                   if t.split()[0] not in ("observe", "collect", "prepare")]
        demand(not effects, f"nothing could be written, yet it did {effects}")
    settle(host)


def effect(host, at, how):
    """Killed in the runtime or the router, at call @at of both together, before or after what it does."""
    host.restore()
    kind, nth = at
    script = f"{host.state}/{kind}"
    world = host.document(kind)
    world["exit"] = [{"call": "*", "nth": world.get("counts", {}).get("*", 0) + nth, "after": how == "after", "code": KILLED}]
    os.makedirs(os.path.dirname(script), exist_ok=True)
    with open(script, "w") as f:
        json.dump(world, f)
    done = host.run("pass")
    demand(done.returncode in (KILLED, *host.codes), f"the pass ended with {done.returncode}: {done.stderr}")
    world = host.document(kind)
    world.pop("exit", None)
    with open(script, "w") as f:
        json.dump(world, f)
    judge_service(host)
    settle(host)


def effects(host):
    """Before and after every call of runtime and router that there is when nothing fails: (kind, nth call, moment)."""
    def of(kind):
        return host.document(kind).get("counts", {}).get("*", 0)
    kinds = ("fake/world.json", "routes/memory.json")
    host.restore()
    before = {kind: of(kind) for kind in kinds}
    host.run("pass")
    return [(kind, n, moment) for kind in kinds for n in range(1, of(kind) - before[kind] + 1) for moment in ("before", "after")]


def cases(host, how, every, offset):
    points, dense, number = host.count(), max(1, every // DENSER), 0
    for n, point in enumerate(points, 1):
        step = dense if DENSE.match(point) or (n > 1 and DENSE.match(points[n - 2])) else every
        if (n + offset) % step == 0:
            yield (f"{how} at {n} of {len(points)}, {point}", (kill, n) if how == "kill" else (fail, n, how))
    for kind, n, moment in effects(host) if how == "kill" else ():
        number += 1
        if (number + offset) % dense == 0:
            yield (f"kill {moment} call {n} of {kind}", (effect, (kind, n), moment))


def try_one(host, what, n, case):
    """None, or what was wrong."""
    run, *arguments = case
    try:
        run(host, *arguments)
    except Unsound as e:
        return f"{host.name}: {what} (case {n}): {e}"
    except (subprocess.TimeoutExpired, ValueError, KeyError, FileNotFoundError) as e:
        return f"{host.name}: {what} (case {n}): {type(e).__name__} {e}"
    return None


def work(job):
    """One scene: for every way to fail how many cases there were, and what was wrong in which."""
    options, offset, scene = job
    folder = tempfile.mkdtemp(prefix="tally-fault.", dir=MEMORY if os.path.isdir(MEMORY) else None)
    found = []
    try:
        host = Host(folder, os.path.realpath(options.tally), os.path.realpath(options.points), scene)
        for how in options.how.split(","):
            tried, wrong = 0, []
            every = options.every * (1 if how == "kill" or options.every == 1 else SPARSER)
            for n, (what, case) in enumerate(cases(host, ERRORS.get(how, how), every, offset), 1):
                if len(wrong) == WRONG_MAX or options.at not in (0, n):
                    continue
                tried += 1
                wrong += filter(None, [try_one(host, what, n, case)])
            found.append((how, tried, wrong))
        if not host.count():
            found.append(("count", 0, [f"{host.name}: no point was seen"]))
    finally:
        if options.at:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return scene[0], found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tally")
    parser.add_argument("points")
    parser.add_argument("how")
    parser.add_argument("scenes", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--at", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_intermixed_args()
    listed = subprocess.run([HERE + "/scene.sh", "--list"], capture_output=True, text=True, check=True).stdout
    # A scene is sampled alike, whether it is asked for alone or with others.
    jobs = [(options, n * 5, line.split()) for n, line in enumerate(listed.splitlines()) if not options.scenes or line.split()[0] in options.scenes]
    total = failures = 0
    with multiprocessing.Pool(options.workers) as pool:
        for name, found in pool.imap_unordered(work, jobs):
            for how, tried, wrong in found:
                total += tried
                failures += len(wrong)
                print(f"{'not ok' if wrong else 'ok'} - {name}: {how}, {tried} points", flush=True)
                for line in wrong:
                    print(f"  {line}", flush=True)
    print(f"{total} points, {failures} of them unsound")
    sys.exit(1 if failures or not total else 0)


if __name__ == "__main__":
    main()
