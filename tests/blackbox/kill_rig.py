"""All processes of an installation under a seeded schedule of kill -9, each started again as a supervisor would.

Two gateways (one on a port, one on a unix socket), two workers, two dashboards with histories of their own, one Redis with
appendfsync always. Who dies when is drawn beforehand from the seed; that is what a second run with the same seed has in common with the first.
"""
import os
import random
import signal
import socket
import threading
import time

from harness import Process, Redis, Role, wait_for

# How many there are of each is how often each is drawn; Redis twice that, as it is spared half of the time.
KINDS = {"gateway": 2, "gateway-child": 4, "worker": 2, "dashboard": 2, "recorder": 2, "redis": 2}
COUNT = {"gateway": 2, "gateway-child": 2, "worker": 2, "dashboard": 2, "recorder": 2, "redis": 1}
# Actions do not start in the ten seconds after a Redis came back: of so many kills in a row the second half spares it.
SEASON = 40


def schedule(seed, kills, every, kinds=tuple(KINDS)):
    """[(seconds after the one before, kind, which)]; some die twice in a row, or right after their start."""
    r = random.Random(seed)
    out = []
    while len(out) < kills:
        calm = len(out) % SEASON >= SEASON // 2
        names = [k for k in kinds if not (calm and k == "redis")] or list(kinds)
        kind = r.choices(names, [KINDS[k] for k in names])[0]
        which, gap, how = r.randrange(COUNT[kind]), r.expovariate(1 / every), r.random()
        out.append((gap, kind, which))
        if how < 0.12:
            out.append((r.uniform(0, 0.25), kind, which))
        elif how < 0.2:  # both of a kind, or two at once
            other = r.choice(names)
            out.append((r.uniform(0, 0.02), other, r.randrange(COUNT[other])))
    return out[:kills]


class Slot:
    """One place for a process: who is in it now, and the log of all that were."""

    def __init__(self, name, launch, folder):
        self.name, self.launch, self.path = name, launch, folder("log-" + name)
        self.now, self.doomed, self.starts, self.surprises, self.again_at = None, False, 0, [], 0.0

    def up(self):
        self.now, self.doomed = self.launch(), False
        self.starts += 1

    def kill(self):
        """Return: whether it was alive to be killed."""
        if not self.now or not self.now.alive():
            return False
        self.doomed = True
        self.now.signal(signal.SIGKILL)
        return True

    def child(self, turn):
        """Kills a child of it, each in its turn: its parent has to notice."""
        try:
            pids = self.now.children() if self.now and self.now.alive() else []
        except (OSError, ProcessLookupError):
            return False
        try:
            os.kill(pids[turn % len(pids)], signal.SIGKILL)
            return True
        except (ProcessLookupError, ZeroDivisionError):
            return False

    def bury(self):
        """It has ended: what it said is kept, and whether anybody wanted that."""
        p, self.now = self.now, None
        p.reader.join(5)
        fd = getattr(p, "ready_fd", None)
        if fd is not None:
            os.close(fd)
        if not self.doomed:
            self.surprises.append("%s ended by itself with %s: %s" % (self.name, p.p.returncode, " | ".join(p.log()[-3:])))
        self.keep(p)

    def keep(self, p):
        with open(self.path, "a", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in p.log()))

    def tend(self):
        if self.now and not self.now.alive():
            self.bury()
            self.again_at = time.monotonic() + 0.1
        if not self.now and time.monotonic() >= self.again_at:
            self.up()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Rig:
    """case: whose folder it is and who cleans up."""

    def __init__(self, case, config):
        self.folder, self.config = case.folder, config
        self.redis = Redis(case.folder)
        first = self.redis.process
        self.slots = {"redis-0": Slot("redis-0", lambda: Process(self.redis.args, name="redis"), case.folder)}
        self.slots["redis-0"].now, self.slots["redis-0"].starts = first, 1
        port = free_port()
        self.addresses = [("127.0.0.1", port), case.folder("gw1.sock")]
        listen = ["127.0.0.1:%d" % port, "unix:" + self.addresses[1]]
        for i in range(2):
            self.role("gateway", i, "--listen", listen[i])
            self.role("worker", i)
            self.role("dashboard", i, "--listen", "unix:" + case.folder("dash%d.sock" % i))
        self.kills, self.over, self.lasted = [], threading.Event(), 0.0
        case.addCleanup(self.end)
        for s in self.slots.values():
            if not s.now:
                s.up()
        self.tender = threading.Thread(target=self.tend, daemon=True)
        self.tender.start()

    def role(self, role, i, *options):
        args = ["--redis", self.redis.url, "--state-dir", self.folder("%s%d" % (role, i)), *options]
        name = "%s-%d" % (role, i)
        self.slots[name] = Slot(name, lambda: Role(role, self.config, *args, wait=False), self.folder)

    def tend(self):
        while not self.over.wait(0.02):
            for s in self.slots.values():
                s.tend()

    def kill(self, kind, which):
        """Waits for somebody to be there: who is being started again now is the one who dies."""
        parent = {"gateway-child": "gateway", "recorder": "dashboard"}.get(kind)
        slot = self.slots["%s-%d" % (parent or kind, which)]
        end = time.monotonic() + 10
        while not (slot.child(len(self.kills)) if parent else slot.kill()):
            if time.monotonic() > end or self.over.is_set():
                return
            time.sleep(0.005)
        self.kills.append((time.time(), kind, which))

    def play(self, plan):
        """The schedule, to its end."""
        began = time.monotonic()
        for n, (gap, kind, which) in enumerate(plan):
            time.sleep(gap)
            self.kill(kind, which)
            if n % 100 == 99:
                print("# %d kills after %.0f s" % (len(self.kills), time.monotonic() - began), flush=True)
        self.lasted = time.monotonic() - began

    def all_up(self):
        wait_for(lambda: all(s.now and s.now.alive() for s in self.slots.values()) and self.redis.ping(), "everything runs again", 60)
        wait_for(lambda: self.surprises() or all(os.path.exists(self.folder("dashboard%d" % i, "history.db")) for i in range(2)), "histories are there", 60)

    def end_but_redis(self):
        self.end(False)

    def end(self, redis=True):
        """Everything ends, Redis last; what they said is in the folder."""
        self.over.set()
        if hasattr(self, "tender"):
            self.tender.join(30)
        for name in sorted(self.slots, key=lambda n: n == "redis-0"):
            s = self.slots[name]
            if s.now and (redis or name != "redis-0"):
                s.doomed = True
                s.now.kill()
                s.bury()

    def surprises(self):
        return [x for s in self.slots.values() for x in s.surprises]

    def log(self):
        """(who, line) of all that ran, those that run now as well."""
        for s in self.slots.values():
            if os.path.exists(s.path):
                with open(s.path, encoding="utf-8", errors="replace") as f:
                    for line in f:
                        yield s.name, line.rstrip("\n")
            p = s.now
            for line in p.log() if p else []:
                yield s.name, line
