"""What must hold when all is quiet after the kills: what the world told and got, against Redis, both histories and all logs.

Each check gives lines of what is wrong; none is the only good answer.
"""
import collections
import json
import os
import re
import sqlite3

ENDS = {"rollback_done", "rollback_unknown", "rollback_failed", "rollback_skipped"}
DOUBLES = 0.01  # of the messages

# Rows of one history that the other must have too: the keys that SQLite gave are replaced by what they stand for. What was read
# when somebody looked (explanations) and what a Pushgateway was told are each dashboard's own.
TABLES = {
    "events": "SELECT at, event_id, n, delivery, source, kind, status, repo, branch, tag, sha, service, environment, claimed, ci_run_id, ci_run_alias, user, title, "
              "url, ev FROM events JOIN event_bodies USING (id)",
    "builds": "SELECT run, at, first, source, repo, pipeline_id, ci_run_id, branch, sha, service, environment, status, started, finished, duration_ms, coverage, "
              "exit_code, jobs, jobs_failed, told_at FROM builds",
    "jobs": "SELECT run, job, j.at, j.name, j.status, j.duration_ms, j.coverage, j.exit_code, j.told_at FROM jobs j JOIN builds b ON b.id = j.build",
    "deployments": "SELECT deployment, service, environment, at, status, repo, sha, seen, started, finished, prev_sha, is_rollback, is_redeploy, rollback_of, runs, "
                   "good, verdict, d FROM deployments JOIN places p ON p.id = place",
    "watches": "SELECT watch, service, environment, deployment, at, rule, rules, state, begins, until, every, verdict, reason, fail_at, ended, fired, checks, known "
               "FROM watches JOIN places p ON p.id = place",
    "samples": "SELECT service, environment, x.at, g.name, g.source, r, v, n, text FROM samples x JOIN places p ON p.id = x.place JOIN signals g ON g.id = x.signal",
    "alerts": "SELECT alert, at, last, service, environment, rule, severity, state, news, summary, watch, deployment, repo, branch, sha FROM alerts",
    "news": "SELECT news_id, alert, at, news, body FROM news",
    "deliveries": "SELECT news_id, alert, channel, at, last, state, tries, fallback, why FROM deliveries",
    "attempts": "SELECT alert, news_id, channel, n, at, class, detail, repeat FROM attempts",
    "actions": "SELECT action_id, service, environment, at, last, action, rollback, deployment, watch, rule, state, why, started, deadline, target FROM actions "
               "JOIN places p ON p.id = place",
    "action_steps": "SELECT action_id, at, state, why FROM action_steps",
    "decisions": "SELECT entry, n, at, who, what, target, why, via FROM decisions",
    "gaps": "SELECT after, before, why FROM gaps",
}
# What processes may say at warn or error while others are killed, and why.
EXPLAINED = re.compile("|".join((
    r"Redis (is away|is reached|is not reached|connection|was started|came back|lost|does not)", r"Redis: ", r"redis: ", r"[Rr]edis.*(trying again|going on|reconnect)",
    r"no history to read", r"recorder (died of signal|ended)", r"verdict fail", r"action undo\S* .*(started|unknown|postponed|skipped|done)",
    r"(Input/output error|Transport endpoint is not connected), trying again", r"died of signal 9", r"without an answer|outcome is unknown|no answer|AMBIGUOUS|ambiguous",
)))
BROKEN = re.compile(r"assert|SW_ASSERT|Sanitizer|core dumped|Traceback|died of signal (?!9\b)\d+|corrupt|dead letter")


class History:
    def __init__(self, path):
        self.db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=20)

    def __call__(self, text, *args):
        return self.db.execute(text, args).fetchall()

    def close(self):
        self.db.close()


class Ledger:
    def __init__(self, world, hosts, rig):
        self.world, self.hosts, self.rig, self.redis = world, hosts, rig, rig.redis
        self.notes = []

    def paths(self):
        return [self.rig.folder("dashboard%d" % i, "history.db") for i in range(2)]

    # ---- quiet ----

    def position(self):
        last = self.redis("XREVRANGE", "{sw}:journal", "+", "-", "COUNT", "1")
        return last[0][0].decode() if last else "0-0"

    def behind(self):
        """What is not quiet yet, as text; empty when all is."""
        try:
            for key in ("in", "work"):
                n = self.redis("XLEN", "{sw}:" + key)
                if n:
                    return "%d entries in %s" % (n, key)
            gateways = self.redis("HGETALL", "{sw}:gateways")
            if any(not v.endswith(b" 0") for v in gateways[1::2]):
                return "a gateway has a spool: %s" % gateways
            waits = self.waiting()
            if waits:
                return "news waits: %s" % waits[:3]
            at = [int(x) for x in self.position().split("-")]
        except OSError as e:
            return "Redis: %s" % e
        for path in self.paths():
            try:
                h = History(path)
                pos = h("SELECT value FROM meta WHERE key = 'pos'")
                h.close()
            except sqlite3.Error as e:
                return "%s: %s" % (path, e)
            if not pos or [int(x) for x in pos[0][0].split("-")] < at:
                return "%s is at %s of %s" % (path, pos, at)
        return ""

    def waiting(self):
        """Alerts that have something to tell, or that still fire."""
        out = []
        for key in self.redis("KEYS", "{sw}:alert:*"):
            text = self.redis("HGET", key, "s")
            if isinstance(text, bytes) and b'"queue":[]' not in text:
                out.append(key.decode())
        return out

    def unresolved(self):
        """Alerts that fire and watches that follow, by the history."""
        h = History(self.paths()[0])
        try:
            return h("SELECT count(*) FROM alerts WHERE state = 'firing'")[0][0] + h("SELECT count(*) FROM watches WHERE state <> 'done'")[0][0]
        finally:
            h.close()

    # ---- the checks ----

    def events(self):
        """Each event that got 2xx is in both histories exactly once; what got none is there once at the most."""
        for which, path in enumerate(self.paths()):
            h = History(path)
            count = collections.Counter(h("SELECT kind, sha, ci_run_id FROM events"))
            h.close()
            by_sha, by_run = collections.Counter(), collections.Counter()
            for (kind, sha, run), n in count.items():
                if kind == "deployment":
                    by_run[run] += n
                else:
                    by_sha[sha] += n
            for e in self.hosts.told:
                n = by_run[e.run] if e.run else by_sha[e.sha]
                if n != 1 and (e.done.is_set() or n > 1):
                    yield "history %d has %s %d times; answers %s" % (which, e.key, n, e.answers)
            if sum(count.values()) > len(self.hosts.told):
                yield "history %d has %d events of %d told" % (which, sum(count.values()), len(self.hosts.told))

    def evaluated(self):
        """What got 2xx had its effect: a report is a job of a build, a deployment is one. (Of a push people are told: told().)"""
        for which, path in enumerate(self.paths()):
            h = History(path)
            jobs = {sha for sha, in h("SELECT b.sha FROM builds b JOIN jobs j ON j.build = b.id")}
            runs = collections.Counter(run for run, in h("SELECT ci_run_id FROM deployments"))
            h.close()
            for e in self.hosts.told:
                if e.done.is_set() and e.kind == "report" and e.sha not in jobs:
                    yield "history %d: report %s is no job" % (which, e.key)
                if e.done.is_set() and e.kind == "deployment" and runs[e.run] != 1:
                    yield "history %d: %s is %d deployments" % (which, e.key, runs[e.run])

    def messages(self):
        with self.world.state.lock:
            return [m for m in self.world.state.messages if "action" not in m["body"]]

    def told(self):
        """Each news reached each of its channels, a repeat says so, and there are few."""
        seen, marked, shas, news = collections.Counter(), [], set(), collections.defaultdict(set)
        channels = collections.Counter()
        for m in self.messages():
            a = m["body"]["alert"]
            # two channels get the same delivery: told apart by how often each news was due
            seen[a["delivery"]] += 1
            channels[a["delivery"]] += bool(a.get("repeat"))
            shas.add(a.get("sha"))
            news[(a.get("service"), a.get("sha"))].add(a["news"])
        h = History(self.paths()[0])
        due = collections.Counter(dict(h("SELECT news_id, count(*) FROM deliveries GROUP BY news_id")))
        unsent = h("SELECT news_id, channel, state, why FROM deliveries WHERE state <> 'sent'")
        h.close()
        for row in unsent:
            yield "not sent: %s" % (row,)
        twice = 0
        for delivery in set(seen) | set(due):
            more = seen[delivery] - due[delivery]
            if more < 0 or not due[delivery]:
                yield "news %s: due at %d channels, told %d times" % (delivery, due[delivery], seen[delivery])
            elif more > channels[delivery]:
                marked.append(delivery)
            twice += max(0, more)
            if more > 0:
                self.notes.append("came again: %s" % delivery)
        for delivery in marked:
            yield "news %s came again and did not say that it may be a repeat" % delivery
        for e in self.hosts.told:
            if e.kind == "push" and e.done.is_set() and e.sha not in shas:
                yield "push %s got 2xx and nobody was told" % e.key
        total = sum(seen.values())
        self.doubled, self.total, self.news = twice, total, news
        # in a short run one death with a few messages in hand is more than that
        if twice > max(DOUBLES * total, 0 if len(self.rig.kills) >= 500 else len(self.rig.kills) / 2):
            yield "%d of %d messages came again" % (twice, total)

    def verdicts(self):
        """As without kills: a good one passes, a bad one fails by evidence and is told of, all of it comes to an end."""
        for d in self.world.deployed:
            what = "%s/%d (%s)" % (d.service, d.job, "bad" if d.bad else "back" if d.back else "good")
            if not d.ended:
                yield "%s came to no end: %s %s" % (what, d.found, d.action)
                continue
            if not d.found:
                continue  # late
            got = (d.found.get("verdict"), d.found.get("reason"))
            if got != ((("fail" if d.bad else "pass")), "evidence"):
                yield "%s: %s, taken after %.1f s; %s" % (what, got, d.event.took(), d.found)
            if not d.bad or got[0] != "fail":
                continue
            told = self.news.get((d.service, d.sha), set())
            if "firing" not in told or not told & {"resolved", "closed"}:
                yield "%s: told only %s" % (what, sorted(told))
            if not told & ENDS:
                yield "%s: nobody was told what became of its rollback: %s, %s" % (what, sorted(told), d.action)

    def rollbacks(self):
        """None twice; what was asked for is known; what was cut off is unknown and told, unless the deployment came that it made."""
        h = History(self.paths()[0])
        actions = {a: (state, why, dep) for a, state, why, dep in h("SELECT action_id, state, why, deployment FROM actions")}
        steps = collections.defaultdict(list)
        for action, state in h("SELECT action_id, state FROM action_steps ORDER BY at, id"):
            steps[action].append(state)
        per = h("SELECT deployment, count(*) FROM actions WHERE rollback GROUP BY deployment HAVING count(*) > 1")
        told = collections.defaultdict(set)
        for news_id, news in h("SELECT news_id, news FROM news"):
            told[news_id.rsplit("-", 1)[-1]].add(news)
        h.close()
        for row in per:
            yield "two actions for deployment %s: %s" % row
        for action, n in self.world.hooked.items():
            if n != 1:
                yield "rollback %s was asked for %d times" % (action, n)
            if action not in actions:
                yield "rollback %s is in no history" % action
        for action, (state, why, _) in actions.items():
            if state in ("proposed", "asking", "postponed", "started"):
                yield "action %s is left %s (%s): %s" % (action, state, why, steps[action])
            if steps[action].count("started") > 1:
                yield "action %s started twice: %s" % (action, steps[action])
            if "started" in steps[action] and not told[action] & ENDS:
                yield "action %s: outcome not told, steps %s, told %s" % (action, steps[action], told[action])
            if "unknown" in steps[action] and "rollback_unknown" not in told[action]:
                yield "action %s: that its outcome is unknown was not told" % action
        for action in self.world.cuts:
            if "unknown" not in steps[action]:
                yield "action %s got no answer, and is %s" % (action, steps[action])
        self.actions = collections.Counter("unknown" if "unknown" in steps[a] else "skipped" if s[0] == "skipped" else s[0] for a, s in actions.items())

    def histories(self):
        """Both histories say the same, are whole and have no gap."""
        a, b = (History(p) for p in self.paths())
        for h in (a, b):
            if h("PRAGMA integrity_check") != [("ok",)]:
                yield "a history is not whole: %s" % h("PRAGMA integrity_check")[:3]
            for row in h("SELECT * FROM gaps"):
                yield "a gap: %s" % (row,)
        self.rows = 0
        # places are asked for ever: of readings what came while the one was read and the other was not is left out
        settled = min(h("SELECT max(at) FROM samples")[0][0] or 0 for h in (a, b)) - 5000
        for table, text in TABLES.items():
            if table == "samples":
                text += " WHERE x.at < %d" % settled
            left, right = collections.Counter(a(text)), collections.Counter(b(text))
            self.rows += sum(left.values())
            for row in list((left - right).items())[:3]:
                yield "%s only in history 0: %s" % (table, row)
            for row in list((right - left).items())[:3]:
                yield "%s only in history 1: %s" % (table, row)
        for row in a("SELECT alert, state, news, rule, sha FROM alerts WHERE state = 'firing'"):
            yield "still fires: %s" % (row,)
        for row in a("SELECT watch, deployment, state, verdict FROM watches WHERE state <> 'done'"):
            yield "watch is not done: %s" % (row,)
        a.close()
        b.close()

    def leftovers(self):
        """Redis holds nothing of work that is done."""
        r = self.redis
        for key, group in (("in", "w"), ("work", "w")):
            if r("XLEN", "{sw}:" + key):
                yield "%s is not empty" % key
            if r("XPENDING", "{sw}:" + key, group)[0]:
                yield "%s has pending entries: %s" % (key, r("XPENDING", "{sw}:" + key, group))
        for key in ("trying", "fails"):
            if r("HLEN", "{sw}:" + key):
                yield "%s: %s" % (key, r("HGETALL", "{sw}:" + key))
        if r("XLEN", "{sw}:dead"):
            yield "dead letters: %s" % r("XRANGE", "{sw}:dead", "-", "+")[:3]
        for key in r("KEYS", "{sw}:body:*"):
            yield "left: %s" % key
        ctl = r("HGETALL", "{sw}:ctl")
        ctl = dict(zip(ctl[::2], ctl[1::2]))
        if ctl.get(b"in_bytes") != b"0":
            yield "in_bytes is %s" % ctl.get(b"in_bytes")
        if b"hold" in ctl and ctl[b"hold"] == b"1":
            yield "on hold: %s" % ctl
        now = r("TIME")
        now = int(now[0]) * 1000 + int(ctl.get(b"offset", b"0"))
        timers = r("ZRANGE", "{sw}:timers", 0, -1, "WITHSCORES")
        # a rollback that is done is looked at once more after five minutes, where the place recovered before its outcome was known
        looks = set()
        for key in r("KEYS", "{sw}:place:*"):
            state = json.loads(r("HGET", key, "s"))
            looks |= {(key[5:] + b"|tick", x["deadline"]) for x in state.get("actions", []) if x["state"] == "done" and x.get("deadline")}
            for w in state["watches"]:
                if w["state"] != "done":
                    yield "%s: watch %s is %s" % (key, w["id"], w["state"])
        for name, due in zip(timers[::2], timers[1::2]):
            due = int(float(due))
            if due < now - 5000 or not re.fullmatch(rb"place:s\d+/prod\|probe:health", name) and (name, due) not in looks:
                yield "timer %s due in %d ms" % (name, due - now)

    def logs(self):
        """No assertion; nothing at error, and at warn only what a killed neighbour explains; nobody ended by himself."""
        yield from self.rig.surprises()
        odd, self.lines = collections.OrderedDict(), 0
        for who, line in self.rig.log():
            self.lines += 1
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"level": "error" if not who.startswith("redis") or re.search(r"(?i)error|bad file|fatal|bug report", line) else "info", "msg": line}
            text = str(entry.get("msg"))
            if BROKEN.search(text) or entry.get("level") in ("error", "warn") and not EXPLAINED.search(text):
                shape = (who[:-2], entry.get("level"), re.sub(r"[0-9a-f]{6,}|\d+", "#", text))
                odd.setdefault(shape, [0, line])[0] += 1
        for (who, level, _), (n, line) in odd.items():
            yield "%s says at %s, %d times: %s" % (who, level, n, line[:400])

    def all(self):
        """[(check, [what is wrong])]"""
        return [(f.__name__, list(f())) for f in (self.events, self.evaluated, self.told, self.verdicts, self.rollbacks, self.histories, self.leftovers, self.logs)]

    def notices(self):
        """[(check, whether it sees what is wrong on purpose)]: books that cannot fail prove nothing. Afterwards they are wrong."""
        seen = []

        def try_(check, spoil):
            spoil()
            seen.append((check.__name__, bool(list(check()))))
        told = self.world.state.messages
        try_(self.told, lambda: told.remove(next(m for m in told if "action" not in m["body"])))
        try_(self.rollbacks, lambda: self.world.hooked.update(list(self.world.hooked) or ["x"]))
        try_(self.leftovers, lambda: self.redis("HSET", "{sw}:trying", "w:1-1", "1"))
        self.redis("HDEL", "{sw}:trying", "w:1-1")
        try_(self.leftovers, lambda: self.redis("ZADD", "{sw}:timers", 1, "place:s0/prod|tick"))
        d = self.world.deployed[0]
        try_(self.verdicts, lambda: setattr(d, "bad", not d.bad))
        for i, (check, text) in enumerate(((self.events, "DELETE FROM events WHERE id = (SELECT max(id) FROM events)"),
                                           (self.evaluated, "DELETE FROM deployments"), (self.histories, "DELETE FROM news WHERE id = 1"))):
            try_(check, lambda i=i, text=text: self.spoil(i % 2, text))
        with open(self.rig.slots["worker-0"].path, "a", encoding="utf-8") as f:
            f.write("x.c:1: y: assertion failed: z\n")
        try_(self.logs, lambda: None)
        return seen

    def spoil(self, which, text):
        db = sqlite3.connect(self.paths()[which], timeout=20)
        with db:
            db.execute(text)
        db.close()

    def save(self, folder, result):
        with open(os.path.join(folder, "ledger.json"), "w", encoding="utf-8") as f:
            json.dump({"wrong": dict(result), "notes": self.notes, "kills": self.rig.kills,
                       "events": [[e.kind, e.key, e.sha, e.tries, e.answers] for e in self.hosts.told]}, f, indent=1, default=str)
