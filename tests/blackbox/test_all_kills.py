"""Any process is killed at any moment, Redis too, while hooks come in and releases go bad: in the end the books must balance.

SW_SEED (31 unless said), SW_ALL_KILLS, SW_KILL_EVERY (seconds, the mean), SW_KILL_KINDS (by commas) and SW_KILL_PLACES say what is done; SW_KEEP=1 keeps the folder
of a good run too. `./dev bench kills` does a thousand.
"""
import os
import unittest

from harness import Case, Folder, wait_for
from kill_ledger import Ledger
from kill_rig import KINDS, Rig, schedule
from kill_world import Hosts, World

SEED = int(os.environ.get("SW_SEED") or 31)
KILLS = int(os.environ.get("SW_ALL_KILLS", "25"))
EVERY = float(os.environ.get("SW_KILL_EVERY", "0.8"))
PLACES = int(os.environ.get("SW_KILL_PLACES", "3"))
RATE = float(os.environ.get("SW_KILL_RATE", "12"))
QUIET = 240


def say(text):
    print("# " + text, flush=True)


class AllKills(Case):
    def setUp(self):
        self.folder, self.keep = Folder(), bool(os.environ.get("SW_KEEP"))
        self.addCleanup(lambda: self.keep or self.folder.remove())

    def test_everything_dies(self):
        kinds = [k for k in (os.environ.get("SW_KILL_KINDS") or ",".join(KINDS)).split(",") if k]
        self.assertFalse(set(kinds) - set(KINDS), "kinds are " + ", ".join(KINDS))
        say("seed %d, %d kills of %s, one in %g s, %d places, %g events a second" % (SEED, KILLS, ", ".join(kinds), EVERY, PLACES, RATE))
        world = World(self, SEED, PLACES)
        rig = Rig(self, world.write(self.folder))
        hosts = Hosts(rig.addresses, SEED + 1)
        self.addCleanup(hosts.ending.set)
        ledger = Ledger(world, hosts, rig)
        good = False
        try:
            rig.all_up()
            self.assertFalse(rig.surprises(), "it does not even start")
            world.begin(rig.redis, hosts, RATE)
            rig.play(schedule(SEED, KILLS, EVERY, kinds))
            self.settle(world, rig, hosts, ledger)
            good = self.judge(world, rig, hosts, ledger)
        finally:
            self.keep |= not good
            if self.keep:
                rig.end()
                say("kept: %s; the same deaths: SW_SEED=%d SW_ALL_KILLS=%d SW_KILL_EVERY=%g" % (self.folder.path, SEED, KILLS, EVERY))

    def settle(self, world, rig, hosts, ledger):
        """The deaths are over: what is under way comes to its end, and then nothing moves any more."""
        rig.all_up()
        world.quiet()
        try:
            wait_for(lambda: not any(t.is_alive() for t in world.threads) and not hosts.out, "places and hosts are done", QUIET)
            wait_for(lambda: not ledger.behind(), "all is quiet", QUIET)
        except AssertionError as e:
            say("%s: %s; alive %d, out %d" % (e, ledger.behind(), sum(t.is_alive() for t in world.threads), hosts.out))
        steady = []

        def still():
            steady.append(ledger.position())
            return len(steady) > 12 and not ledger.behind() and not ledger.unresolved()
        try:
            wait_for(still, "alerts and watches end", 120)
        except AssertionError as e:
            say(str(e))

    def judge(self, world, rig, hosts, ledger):
        result = ledger.all()
        ledger.save(self.folder.path, result)
        died = {}
        for _, kind, _ in rig.kills:
            died[kind] = died.get(kind, 0) + 1
        say("%d kills in %.0f s (%s); %d events told, answers %s" % (
            len(rig.kills), rig.lasted, ", ".join("%s %d" % x for x in sorted(died.items())), len(hosts.told), dict(hosts.statuses)))
        say("%d deployments, actions %s, rollbacks asked for %d (unanswered %d)" % (
            len(world.deployed), dict(getattr(ledger, "actions", {})), sum(world.hooked.values()), len(world.cuts)))
        say("%d messages, came again %d (%.2f %%); %d rows in each history, %d lines of log" % (
            ledger.total, ledger.doubled, 100.0 * ledger.doubled / max(1, ledger.total), ledger.rows, ledger.lines))
        wrong = [(check, lines) for check, lines in result if lines]
        for check, lines in wrong:
            say("WRONG %s, %d lines:" % (check, len(lines)))
            for line in lines[:12]:
                say("    " + line[:1000])
        self.assertFalse(wrong, "; ".join("%s: %d" % (c, len(x)) for c, x in wrong))
        self.assertGreaterEqual(len(rig.kills), KILLS * 9 // 10, "too few were there to be killed")
        rig.end_but_redis()
        blind = [check for check, sees in ledger.notices() if not sees]
        self.assertFalse(blind, "these checks see nothing")
        return True


if __name__ == "__main__":
    unittest.main()
