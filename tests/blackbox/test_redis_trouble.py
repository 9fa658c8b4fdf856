"""A Redis that is wrong, full, read-only or forgetful, at start and later: one clear line of each role, and nothing accepted is lost."""
import json
import os
import socket
import threading
import unittest

from harness import TWO_WRITES, Case, Gateway, Redis, Role, sign_github, tear, wait_for

CONFIG = """
gateway: {workers: 1}
sources: {github: {secrets: [a-secret]}}
channels: {ops: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:9/health"}}}
"""
PUSH = json.dumps({"ref": "refs/heads/main", "before": "1" * 40, "after": "2" * 40, "commits": [], "head_commit": None,
                   "repository": {"full_name": "acme/web"}, "pusher": {"name": "lin"}}).encode()


class Between:
    """Stands between a role and Redis; while `dies` is set it ends each connection that asks how Redis is set, as a Redis that dies just then."""

    def __init__(self, path, redis):
        self.dies, self.ended, self.open, self.redis = False, 0, [], redis
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(path)
        self.s.listen(16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                a, _ = self.s.accept()
            except OSError:
                return
            b = socket.socket(socket.AF_UNIX)
            b.connect(self.redis)
            self.open += [a, b]
            threading.Thread(target=self.pass_on, args=(a, b, True), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(b, a, False), daemon=True).start()

    def pass_on(self, a, b, asks):
        try:
            while data := a.recv(65536):
                if asks and self.dies and b"appendfsync" in data:
                    self.ended += 1
                    break
                b.sendall(data)
        except OSError:
            pass
        self.cut(a, b)

    @staticmethod
    def cut(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.cut(*self.open)
        self.s.close()


class Trouble(Case):
    def up(self, *options, prepare=()):
        self.redis = self.start(Redis(self.folder, *options))
        for command in prepare:
            self.redis(*command)
        self.config = self.folder.write("shipwatch.yaml", CONFIG)
        self.gateway = self.start(Gateway(self.config, "--redis", self.redis.url, "--state-dir", self.folder("gateway")))

    def worker(self, wait=True):
        return self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("worker"), wait=wait))

    def post(self, delivery):
        a = self.gateway.post("/hooks/github", PUSH, sign_github("a-secret", PUSH, "push", delivery))
        self.assertEqual((a.status, a.json["status"]), (202, "queued"))

    def redis_check(self):
        a = self.gateway.request("GET", "/health")
        self.assertEqual(a.status, 200, "the spool takes it")
        return a.json["checks"]["redis"]

    def drained(self, n):
        wait_for(lambda: self.gateway.metric("shipwatch_spool_bytes") == 0, "the spool is drained")
        self.assertEqual(self.redis("XINFO", "STREAM", "{sw}:in")[1], n)

    def test_full_later(self):
        self.up()
        self.gateway.wait_log("^Redis is there")
        self.post("f-1")
        self.redis("CONFIG", "SET", "maxmemory", "1")
        self.post("f-2")
        self.post("f-3")
        self.gateway.wait_log("^Redis takes nothing: its memory is full.*; deliveries go to the spool")
        self.assertRegex(self.redis_check()["reason"], "memory is full")
        self.redis("CONFIG", "SET", "maxmemory", "0")
        self.gateway.wait_log("^Redis takes deliveries again")
        self.drained(3)
        self.assertEqual(self.redis_check()["status"], "ok")
        self.assertEqual(len(self.gateway.entries(msg="^Redis takes nothing")), 1, "told once")

    def test_full_at_start(self):
        self.up("--maxmemory", "1")
        w = self.worker(wait=False)
        w.wait_log("^Redis refuses the worker's housekeeping: its memory is full.*; nothing is decided until")
        self.redis("CONFIG", "SET", "maxmemory", "0")
        w.wait_log("^Redis takes the worker's housekeeping again")
        w.wait_ready()

    def test_wrong_type(self):
        self.up(prepare=[("SET", "{sw}:in", "something else")])
        self.post("w-1")
        self.gateway.wait_log("^Redis takes nothing: WRONGTYPE")
        w = self.worker(wait=False)
        w.wait_log("^Redis refuses the worker's housekeeping: WRONGTYPE")
        self.redis("DEL", "{sw}:in")
        self.gateway.wait_log("^Redis takes deliveries again")
        w.wait_log("queued|push of acme/web")

    def torn(self, where, between=lambda: None):
        """A script's end is torn off the file; between the two starts that follow. How much of the script there is then."""
        self.redis(*TWO_WRITES)
        self.redis.process.kill()
        tear(self.redis.dir, where)
        self.redis.start()
        self.assertEqual(self.redis("EXISTS", "torn"), 0)
        between()
        self.redis(*TWO_WRITES)
        self.redis.process.kill()
        self.redis.start()
        return self.redis("XLEN", "torn")

    def test_torn_file(self):
        """Redis 7.0 leaves half a transaction in a file that it cuts, and the start after the next runs it: the worker prevents that."""
        self.redis = self.start(Redis(self.folder))
        if self.torn("within") == 1:
            self.skipTest("this Redis cuts a torn file rightly")
        self.redis.stop()
        for where in ("between", "within", "exec"):
            with self.subTest(where):
                self.redis = self.start(Redis(self.folder, name="redis-" + where))
                self.config = self.folder.write("shipwatch.yaml", CONFIG)
                w = self.start(Role("worker", self.config, "--redis", self.redis.url, "--state-dir", self.folder("worker-" + where)))
                wait_for(lambda: self.redis("HGET", "{sw}:ctl", "run_id"), "the worker knows this Redis")

                def rewritten():
                    info = self.redis("INFO", "persistence").decode()
                    return "aof_rewrite_in_progress:0" in info and "aof_rewrite_scheduled:0" in info and ".2.base." in "".join(
                        os.listdir(os.path.join(self.redis.dir, "appendonlydir")))
                self.assertEqual(self.torn(where, lambda: wait_for(rewritten, "the file is written anew", 20)), 1)
                w.stop()
                self.redis.stop()

    def test_read_only(self):
        self.up()
        self.gateway.wait_log("^Redis is there")
        w = self.worker()
        self.redis("REPLICAOF", "127.0.0.1", "1")
        self.post("r-1")
        self.gateway.wait_log("^Redis is away: .*(READONLY|replica)")
        w.wait_log("^Redis is not reached .*(READONLY|replica)")
        self.redis("REPLICAOF", "NO", "ONE")
        w.wait_log("push of acme/web")

    def test_that_throws_away(self):
        self.up("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
        self.gateway.wait_log("^Redis is not set to maxmemory-policy noeviction")
        self.assertRegex(self.redis_check()["reason"], "noeviction")
        self.worker().wait_log("^Redis is not set to maxmemory-policy noeviction")

    def test_that_does_not_sync(self):
        self.up("--appendonly", "no")
        self.gateway.wait_log("^Redis is not set to appendonly yes and appendfsync always; deliveries are synced in the spool first")
        self.worker().wait_log("^Redis is not set to appendonly yes and appendfsync always")

    def test_dies_while_it_is_asked(self):
        """A Redis that dies before it said how it is set is not one that is set wrongly."""
        self.up()
        between = Between(self.folder("between.sock"), self.redis.path)
        self.addCleanup(between.close)
        w = self.start(Role("worker", self.config, "--redis", "unix://" + self.folder("between.sock"), "--state-dir", self.folder("worker")))
        between.dies = True
        between.cut(*between.open)
        wait_for(lambda: between.ended >= 6, "connections end when Redis is asked, for longer than two ticks")
        between.dies = False
        wait_for(lambda: len(w.entries(msg="^Redis is reached")) == 2, "Redis is reached again")
        self.assertEqual(w.entries(msg="is not set to|keeps what it takes"), [])


if __name__ == "__main__":
    unittest.main()
