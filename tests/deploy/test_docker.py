"""The image and the compose file, as far as can be told without an engine (`./dev image` builds the image with buildah), and the story that
compose.yaml tells, told by processes: a bad release of `web` is taken back."""
import os
import re
import unittest

import rig

ROLE_KEYS = {"image", "build", "restart", "user", "read_only", "cap_drop", "security_opt", "stop_grace_period", "secrets", "networks", "depends_on", "command",
             "ports", "volumes", "environment", "entrypoint", "healthcheck"}
# Packages that only the tests or every build want.
NOT_FOR_A_BUILD = {"libcmocka-dev"}


def build_packages():
    return set(re.search(r'build_packages="([^"]*)"', rig.read("dev")).group(1).split())


def dockerfile():
    """[(instruction, rest)]"""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", rig.read("docker", "Dockerfile")))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def compose():
    return rig.yaml().safe_load(rig.read("docker", "compose.yaml"))


class Image(unittest.TestCase):
    def test_packages_of_a_build_are_the_same_everywhere(self):
        """./dev, the image and the Debian package build the same program."""
        want = build_packages() - NOT_FOR_A_BUILD
        self.assertGreater(len(want), 8)
        text = " ".join(rest for _, rest in dockerfile())
        self.assertEqual(set(), want - set(text.split()), "docker/Dockerfile")
        control = re.search(r"(?ms)^Build-Depends:(.*?)^\S", rig.read("deploy", "debian", "control")).group(1)
        have = {re.split(r"[ (:]", p.strip())[0] for p in control.split(",")}
        self.assertEqual(set(), want - have - {"build-essential"}, "deploy/debian/control")

    def test_dockerfile(self):
        steps = dockerfile()
        known = {"ARG", "FROM", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "EXPOSE", "ENV", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
        self.assertEqual(set(), {i for i, _ in steps} - known)
        stages = [i for i, (instruction, _) in enumerate(steps) if instruction == "FROM"]
        self.assertEqual(2, len(stages))
        last = steps[stages[1]:]
        self.assertNotIn("build-essential", " ".join(rest for _, rest in last))
        self.assertEqual(["10001:10001"], [rest for i, rest in last if i == "USER"])
        self.assertTrue(any(i == "HEALTHCHECK" and "shipwatch test-health" in rest for i, rest in last))
        self.assertIn(("ENTRYPOINT", '["shipwatch"]'), last)
        code, said = rig.run(rig.tool("sh", "dash"), "-n", "-c", "\n".join(rest for i, rest in steps if i == "RUN"))
        self.assertEqual(0, code, said)

    def test_context_has_what_the_build_reads(self):
        """What the ignore file lets through is enough: each folder that meson.build names is in it."""
        through = set(re.findall(r"(?m)^!(\S+)$", rig.read("docker", "Dockerfile.dockerignore")))
        self.assertEqual(set(), {t for t in through if not os.path.exists(os.path.join(rig.SOURCE, t))})
        wanted = set(re.findall(r"subdir\('([a-z]+)'\)", rig.read("meson.build"))) - {"tests"}
        wanted |= {"meson.build", "meson_options.txt", "include", "rules", "docs", "NEWS.md"}
        self.assertEqual(set(), wanted - through)


class Compose(unittest.TestCase):
    def test_services(self):
        c = compose()
        self.assertEqual({"gateway", "worker", "dashboard", "web", "redis", "prometheus"}, set(c["services"]))
        for name, s in c["services"].items():
            self.assertEqual(set(), set(s) - ROLE_KEYS, name)
            self.assertTrue(s["read_only"], name)
            self.assertEqual(["ALL"], s["cap_drop"], name)
            self.assertIn("no-new-privileges:true", s["security_opt"], name)
            for port in s.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), "%s: what is published is for this machine" % name)
            for volume in s.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue(os.path.exists(os.path.join(rig.SOURCE, "docker", source)), source)
                    self.assertTrue(volume.endswith(":ro"), volume)
                else:
                    self.assertIn(source, c["volumes"])
            self.assertEqual(set(), set(s["networks"]) - set(c["networks"]))
            self.assertEqual(set(), set(s.get("depends_on", {})) - set(c["services"]))
            self.assertEqual(set(), set(s.get("secrets", [])) - set(c["secrets"]))
            self.assertEqual("shipwatch:latest" == s["image"], "build" in s, "%s: an image of ours is made, another is not" % name)
            self.assertNotIn("latest", s["image"].replace("shipwatch:latest", ""), name)

    def test_options_are_the_programs(self):
        known = rig.roles()
        for name, s in compose()["services"].items():
            if name in known:
                self.assertEqual(name, s["command"][0])
                said = rig.run(rig.PROGRAM, "help", name)[1].replace(", ", "  ")
                for option in (a for a in s["command"] if a.startswith("-")):
                    self.assertIn(option + " ", said, name)

    def test_compose_takes_it(self):
        docker = rig.tool("docker", "docker-compose-plugin")
        if rig.run(docker, "compose", "version")[0]:
            self.skipTest("docker has no compose here")
        code, said = rig.run(docker, "compose", "-f", os.path.join(rig.SOURCE, "docker", "compose.yaml"), "config", "--quiet")
        self.assertEqual(0, code, said)

    def test_prometheus_takes_it(self):
        folder = rig.Folder()
        self.addCleanup(folder.remove)
        folder.write("prometheus.yml", rig.read("docker", "prometheus.yml"))
        folder.write("shipwatch.rules.yaml", rig.read("deploy", "prometheus", "shipwatch.rules.yaml"))
        code, said = rig.run(rig.tool("promtool", "prometheus"), "check", "config", folder("prometheus.yml"))
        self.assertEqual(0, code, said)

    def test_redis_takes_it(self):
        """The sample of deploy/redis starts a Redis, and Shipwatch finds nothing to say about how it is set."""
        folder = rig.Folder()
        self.addCleanup(folder.remove)
        redis = rig.harness.Redis(folder)
        redis.stop()
        redis.args = [redis.args[0], os.path.join(rig.DEPLOY, "redis", "shipwatch.conf"), "--port", "0", "--unixsocket", redis.path, "--dir", redis.dir]
        redis.start()
        self.addCleanup(redis.stop)
        config = folder.write("shipwatch.yaml", "state_dir: %s\nredis: {url: \"%s\"}\nchannels: {console: {kind: console}}\n" % (folder("state"), redis.url))
        worker = rig.harness.Role("worker", config)
        self.assertEqual(0, worker.stop())
        self.assertEqual([], worker.entries(level="warn") + worker.entries(level="error"))

    def test_the_story(self):
        """docker/shipwatch.yaml with this machine's addresses, docker/break.sh, and the release is taken back."""
        folder = rig.Folder()
        self.addCleanup(folder.remove)
        redis = rig.harness.Redis(folder)
        self.addCleanup(redis.stop)
        service = rig.harness.built(os.path.join(rig.BUILD, "examples", "service", "example-service"))
        command = compose()["services"]["web"]["command"]
        web = rig.harness.Process([service, *[a.replace("0.0.0.0:8000", "127.0.0.1:0") for a in command], "--port-file", folder("port")])
        self.addCleanup(web.kill)
        port = rig.wait_for(lambda: os.path.exists(folder("port")) and open(folder("port"), encoding="ascii").read().strip(), "the service listens")
        folder.write("gitlab-token", "s3cret-token\n")
        folder.write("dashboard-lin", rig.HASH + "\n")
        text = rig.read("docker", "shipwatch.yaml").replace("/run/secrets", folder.path).replace("/var/lib/shipwatch", folder("state"))
        text = text.replace("redis://redis:6379", redis.url).replace("http://web:8000", "http://127.0.0.1:" + port).replace("0.0.0.0:808", "127.0.0.1:808")
        text = text.replace("/usr/share/shipwatch/rules/demo.yaml", os.path.join(rig.SOURCE, "rules", "demo.yaml"))
        self.assertNotIn("web:8000", text)
        config = folder.write("shipwatch.yaml", text)
        code, said = rig.run(rig.PROGRAM, "check", "-c", config)
        self.assertEqual(0, code, said)
        gateway = rig.harness.Gateway(config)
        self.addCleanup(gateway.stop)
        worker = rig.harness.Role("worker", config)
        self.addCleanup(worker.stop)
        env = dict(os.environ, GATEWAY="http://127.0.0.1:%d" % gateway.address[1], WEB="http://127.0.0.1:" + port, TOKEN_FILE=folder("gitlab-token"),
                   no_proxy="127.0.0.1")
        rig.tool("curl")
        code, said = rig.run(os.path.join(rig.SOURCE, "docker", "break.sh"), env=env)
        self.assertEqual(0, code, said)
        self.assertIn('"status":"queued"', said)
        worker.wait_log(r"action back \S+ done", service="web")
        rig.wait_for(lambda: rig.run(rig.PROGRAM, "test-health", "http://127.0.0.1:%s/health" % port, "--expect-commit", command[command.index("--commit") + 1])[0] == 0,
                     "the service is back")


if __name__ == "__main__":
    unittest.main()
