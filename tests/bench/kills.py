"""A thousand kill -9 of any process, Redis included, while hooks come in and releases go bad; then the books must balance.

What is done and what is checked stands in tests/blackbox/test_all_kills.py and the kill_*.py beside it; here are the options of ./dev bench.
The schedule of deaths comes from the seed, which is printed; a run that fails keeps its folder: every log, both histories, Redis's file.
"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KILLS, PLACES, EVERY = 1000, 6, 0.8


def arguments(ap):
    """What can be said on the command line."""
    ap.add_argument("--kills", type=int, help=f"of kills: how many ({KILLS}); --seed draws them")
    ap.add_argument("--every", type=float, default=EVERY, help="of kills: seconds between two, the mean")
    ap.add_argument("--kinds", default="", help="of kills: only these, by commas: gateway, gateway-child, worker, dashboard, recorder, redis")
    ap.add_argument("--keep", action="store_true", help="of kills: the folder of a good run is kept too")


def python(b, name, **env):
    """One file of tests by its own main: its exit status says whether it passed."""
    sys.stdout.flush()
    env = {**os.environ, "SW_BUILD": b.build, **{k: str(v) for k, v in env.items() if v}}
    if subprocess.run([sys.executable, "-B", "-W", "ignore", os.path.join(ROOT, "tests/blackbox", name)], env=env, check=False).returncode:
        raise RuntimeError("something was lost, doubled or left")


def run(b, args):
    """Any process, one Redis, two of all else."""
    python(b, "test_all_kills.py", SW_ALL_KILLS=args.kills or b.count(KILLS), SW_SEED=args.seed, SW_KILL_EVERY=args.every, SW_KILL_PLACES=PLACES,
           SW_KILL_KINDS=args.kinds, SW_KEEP="1" if args.keep else "")


def workers(b):
    """A thousand messages and two hundred rollbacks while workers are killed at random moments: lost, doubled, marked; in a chat with its digests too."""
    python(b, "test_worker_kills.py", SW_DELIVERIES=b.count(1000), SW_ROLLBACKS=20 if b.short else 200, SW_CHAT=1)
