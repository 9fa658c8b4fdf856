"""The Kubernetes manifests: every name that is used exists, pods are locked up, probes and options are the program's, the configuration loads."""
import glob
import os
import re
import shutil
import unittest

import kube
import rig

ROOT = os.path.join(rig.DEPLOY, "kubernetes")
OVERLAYS = ("small", "production")


def named(objects, kind):
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}


def workloads(objects):
    return [o for o in objects if o["kind"] in ("Deployment", "StatefulSet")]


def fits(selector, labels):
    if not set(selector.get("matchLabels", {}).items()) <= set(labels.items()):
        return False
    return all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.overlays = {name: kube.Kustomization(os.path.join(ROOT, "overlays", name)) for name in OVERLAYS}

    def test_files_are_there_and_used(self):
        for name, k in self.overlays.items():
            self.assertEqual([], k.problems, name)
        folders = [os.path.dirname(p) for p in glob.glob(os.path.join(ROOT, "**", "kustomization.yaml"), recursive=True)]
        self.assertEqual(5, len(folders))
        for folder in folders:
            k = kube.Kustomization(folder)
            # the production overlay merges into what its base makes; by itself each is whole
            self.assertEqual([], k.problems)
            self.assertEqual(set(), k.unused(), folder)

    def test_schema(self):
        for name, k in self.overlays.items():
            for o in k.all():
                if o["kind"] != "ConfigMap":
                    self.assertEqual([], kube.check(o, "%s: %s/%s" % (name, o["kind"], o["metadata"]["name"])))

    def test_schema_finds_mistakes(self):
        (d, *_) = kube.load(os.path.join(ROOT, "base", "worker.yaml"))
        d["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
        d["spec"]["replicas"] = "2"
        self.assertEqual(2, len(kube.check(d, "x")))

    def names_exist(self, objects):
        """Selectors, ports, claims, configurations, scale targets: what one object says of another."""
        pods = workloads(objects)
        for o in pods:
            spec = o["spec"]["template"]["spec"]
            where = o["metadata"]["name"]
            self.assertTrue(fits(o["spec"]["selector"], o["spec"]["template"]["metadata"]["labels"]), where)
            volumes = {v["name"] for v in spec.get("volumes", [])} | {c["metadata"]["name"] for c in o["spec"].get("volumeClaimTemplates", [])}
            for v in spec.get("volumes", []):
                if "configMap" in v:
                    self.assertIn(v["configMap"]["name"], named(objects, "ConfigMap"), where)
                if "persistentVolumeClaim" in v:
                    self.assertIn(v["persistentVolumeClaim"]["claimName"], named(objects, "PersistentVolumeClaim"), where)
                if "secret" in v:
                    self.assertEqual("shipwatch", v["secret"]["secretName"], where)
            for c in spec["containers"]:
                ports = {p["name"] for p in c["ports"]}
                self.assertEqual(volumes, {m["name"] for m in c["volumeMounts"]}, where)
                for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
                    handler = c.get(probe, {}).get("httpGet") or c.get(probe, {}).get("tcpSocket")
                    if handler:
                        self.assertIn(handler["port"], ports, where)
                self.assertIn("readinessProbe", c, where)
                self.assertIn("livenessProbe", c, where)
                self.assertIn("memory", c["resources"]["limits"], where)
        for service in named(objects, "Service").values():
            behind = [o for o in pods if fits({"matchLabels": service["spec"]["selector"]}, o["spec"]["template"]["metadata"]["labels"])]
            self.assertEqual(1, len(behind), service["metadata"]["name"])
            ports = {p["name"] for p in behind[0]["spec"]["template"]["spec"]["containers"][0]["ports"]}
            self.assertTrue({p["targetPort"] for p in service["spec"]["ports"]} <= ports)
        for hpa in named(objects, "HorizontalPodAutoscaler").values():
            target = hpa["spec"]["scaleTargetRef"]
            found = [o for o in pods if (o["kind"], o["metadata"]["name"]) == (target["kind"], target["name"])]
            self.assertEqual(1, len(found))
            self.assertNotIn("replicas", found[0]["spec"], "what an autoscaler sets stands in no manifest")
            self.assertIn("cpu", found[0]["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"])
        for kind, field in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            for o in named(objects, kind).values():
                self.assertEqual(1, len([p for p in pods if fits(o["spec"][field], p["spec"]["template"]["metadata"]["labels"])]), o["metadata"]["name"])
        covered = {p["metadata"]["name"] for p in pods for n in named(objects, "NetworkPolicy").values()
                   if fits(n["spec"]["podSelector"], p["spec"]["template"]["metadata"]["labels"])}
        self.assertEqual({p["metadata"]["name"] for p in pods}, covered, "each pod has a policy")
        for ingress in named(objects, "Ingress").values():
            for rule in ingress["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    service = named(objects, "Service")[path["backend"]["service"]["name"]]
                    self.assertIn(path["backend"]["service"]["port"]["name"], {p["name"] for p in service["spec"]["ports"]})
                    if service["metadata"]["name"] == "shipwatch-gateway":
                        self.assertIn(path["path"], ("/hooks/", "/ci-report", "/approve/"))

    def locked_up(self, objects):
        for o in workloads(objects):
            spec = o["spec"]["template"]["spec"]
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertGreater(spec["securityContext"]["runAsUser"], 0)
            self.assertEqual("RuntimeDefault", spec["securityContext"]["seccompProfile"]["type"])
            self.assertFalse(spec["automountServiceAccountToken"])
            for c in spec["containers"]:
                self.assertEqual({"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, c["securityContext"])

    def test_names_exist(self):
        self.names_exist(self.overlays["small"].all())
        self.locked_up(self.overlays["small"].all())
        for k in self.overlays.values():
            self.locked_up(k.all())

    def test_patches_hit(self):
        """The target of every patch, replica count and image is there."""
        for folder in glob.glob(os.path.join(ROOT, "*", "*")) + [os.path.join(ROOT, "base")]:
            if not os.path.isfile(os.path.join(folder, "kustomization.yaml")):
                continue
            k = kube.Kustomization(folder)
            below = k.all()
            if k.own["kind"] == "Component":       # what it is put over
                below = kube.Kustomization(os.path.join(ROOT, "base")).all()
            for patch in k.own.get("patches", []):
                t = patch["target"]
                self.assertTrue([o for o in below if o["kind"] == t["kind"] and re.fullmatch(t["name"], o["metadata"]["name"])], t)
            for r in k.own.get("replicas", []):
                self.assertTrue([o for o in below if o["metadata"]["name"] == r["name"]], r)
            images = {c["image"] for o in workloads(below) for c in o["spec"]["template"]["spec"]["containers"]}
            for image in k.own.get("images", []):
                self.assertIn(image["name"], images)
                self.assertTrue(image["newTag"] and image["newTag"] != "latest")

    def test_built_by_kustomize(self):
        kubectl = rig.tool("kubectl", "kubectl, which Debian 12 does not have")
        for name in OVERLAYS:
            code, said = rig.run(kubectl, "kustomize", os.path.join(ROOT, "overlays", name))
            self.assertEqual(0, code, said)
            objects = list(rig.yaml().safe_load_all(said))
            for o in objects:
                self.assertEqual([], kube.check(o, "%s: %s/%s" % (name, o["kind"], o["metadata"]["name"])))
            self.names_exist(objects)
            self.locked_up(objects)
            for o in workloads(objects):
                for c in o["spec"]["template"]["spec"]["containers"]:
                    self.assertRegex(c["image"], r"^[a-z0-9.-]+\.[a-z]+/[a-z/]+:[0-9]", o["metadata"]["name"])
            kinds = {(o["kind"], o["metadata"]["name"]) for o in objects}
            self.assertEqual(name == "production", ("StatefulSet", "shipwatch-gateway") in kinds)
            self.assertEqual(name == "small", ("Deployment", "shipwatch-gateway") in kinds)
            self.assertEqual(name == "small", ("StatefulSet", "shipwatch-redis") in kinds)

    def test_redis_is_set_as_everywhere(self):
        def settings(text):
            return {line.split()[0]: line.split(None, 1)[1] for line in text.splitlines() if line.strip() and not line.startswith("#")}
        inside, outside = settings(rig.read("deploy", "kubernetes", "redis", "redis.conf")), settings(rig.read("deploy", "redis", "shipwatch.conf"))
        self.assertEqual({}, {k: v for k, v in outside.items() if inside.get(k) != v})


class Program(unittest.TestCase):
    """What the manifests ask of the program, asked of the program."""

    def setUp(self):
        rig.harness.built(rig.PROGRAM)
        self.folder = rig.Folder()
        self.addCleanup(self.folder.remove)

    def test_options(self):
        known = rig.roles()
        for overlay in OVERLAYS:
            for o in workloads(kube.Kustomization(os.path.join(ROOT, "overlays", overlay)).all()):
                args = o["spec"]["template"]["spec"]["containers"][0].get("args")
                if not args or args[0] not in known:
                    continue
                said = rig.run(rig.PROGRAM, "help", args[0])[1]
                for option in (a for a in args if a.startswith("-")):
                    self.assertIn(option + " ", said.replace(", ", "  "), args)

    def test_configurations_load(self):
        for path in ("base/config/shipwatch.yaml", "overlays/production/shipwatch.yaml"):
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                text = f.read()
            for name in re.findall(r"\$\{file:/run/secrets/shipwatch/([a-z-]+)\}", text):
                self.folder.write("secrets/" + name, "https://oapi.dingtalk.com/robot/send?access_token=x" if name.endswith("-url") else
                                  rig.HASH if name.startswith("dashboard-") else "s3cret-of-16-bytes")
            self.folder.write("shipwatch.yaml", text.replace("/run/secrets/shipwatch", self.folder("secrets")))
            shutil.copy(os.path.join(ROOT, "overlays/production/rules/web.yaml"), self.folder("web.yaml"))
            code, said = rig.run(rig.PROGRAM, "check", "-c", self.folder("shipwatch.yaml"))
            self.assertEqual(0, code, said)

    def test_pre_stop_waits_for_the_spool(self):
        """The command of preStop: well at once while nothing waits, not before a spool is empty."""
        (deployment, *_) = kube.load(os.path.join(ROOT, "base", "gateway.yaml"))
        command = deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        redis = rig.harness.Redis(self.folder)
        self.addCleanup(redis.stop)
        config = self.folder.write("shipwatch.yaml", "state_dir: %s\nredis: {url: \"%s\"}\ngateway: {listen: \"127.0.0.1:0\", workers: 1}\n"
                                   "sources: {gitlab: {tokens: [s3cret-token]}}\nchannels: {console: {kind: console}}\n" % (self.folder("state"), redis.url))
        gateway = rig.harness.Gateway(config)
        self.addCleanup(gateway.stop)
        command = [c.replace("127.0.0.1:8080", "127.0.0.1:%d" % gateway.address[1]) for c in command]

        def stop(wait):
            return rig.run(rig.PROGRAM, *[wait if c == "90s" else c for c in command[1:]])
        self.assertEqual((0, ""), stop("90s"))
        redis.stop()
        hook = {"Content-Type": "application/json", "X-Gitlab-Token": "s3cret-token", "X-Gitlab-Event": "Push Hook"}
        rig.wait_for(lambda: gateway.post("/hooks/gitlab", b'{"object_kind":"push"}', hook).status == 202, "the spool takes it")
        code, said = stop("0s")
        self.assertEqual(1, code, said)
        redis.start()
        self.assertEqual((0, ""), stop("90s"))
        self.assertEqual(1, len(redis.entries()))


if __name__ == "__main__":
    unittest.main()
