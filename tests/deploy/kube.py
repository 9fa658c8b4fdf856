"""Kubernetes manifests without a cluster: a small strict schema of the kinds that deploy/kubernetes uses, and a reader of kustomizations
that follows `resources`, `components`, `patches` and generators by name. It builds nothing: `kubectl kustomize` does, where it is installed."""
import os

import rig

ANY = object()
STR, INT, BOOL = str, int, bool
LABELS = {"*": STR}
PORT = (INT, STR)
META = {"name": STR, "namespace": STR, "labels": LABELS, "annotations": LABELS}
SELECTOR = {"matchLabels": LABELS, "matchExpressions": [{"key": STR, "operator": STR, "values": [STR]}]}
HANDLER = {"httpGet": {"path": STR, "port": PORT}, "tcpSocket": {"port": PORT}, "exec": {"command": [STR]}}
PROBE = dict(HANDLER, periodSeconds=INT, timeoutSeconds=INT, failureThreshold=INT, initialDelaySeconds=INT, successThreshold=INT)
CONTAINER = {
    "name": STR, "image": STR, "imagePullPolicy": STR, "command": [STR], "args": [STR],
    "env": [{"name": STR, "value": STR, "valueFrom": {"secretKeyRef": {"name": STR, "key": STR}}}],
    "ports": [{"name": STR, "containerPort": INT, "protocol": STR}], "readinessProbe": PROBE, "livenessProbe": PROBE, "startupProbe": PROBE,
    "lifecycle": {"preStop": HANDLER}, "resources": {"requests": {"*": (STR, INT)}, "limits": {"*": (STR, INT)}},
    "securityContext": {"allowPrivilegeEscalation": BOOL, "readOnlyRootFilesystem": BOOL, "capabilities": {"drop": [STR]}},
    "volumeMounts": [{"name": STR, "mountPath": STR, "readOnly": BOOL}],
}
POD = {
    "automountServiceAccountToken": BOOL, "enableServiceLinks": BOOL, "terminationGracePeriodSeconds": INT, "containers": [CONTAINER],
    "securityContext": {"runAsNonRoot": BOOL, "runAsUser": INT, "runAsGroup": INT, "fsGroup": INT, "seccompProfile": {"type": STR}},
    "topologySpreadConstraints": [{"maxSkew": INT, "topologyKey": STR, "whenUnsatisfiable": STR, "labelSelector": SELECTOR}],
    "volumes": [{"name": STR, "configMap": {"name": STR}, "secret": {"secretName": STR, "defaultMode": INT}, "emptyDir": {"sizeLimit": STR},
                 "persistentVolumeClaim": {"claimName": STR}}],
}
TEMPLATE = {"metadata": META, "spec": POD}
CLAIM = {"accessModes": [STR], "resources": {"requests": {"storage": STR}}}
PEER = {"podSelector": SELECTOR, "namespaceSelector": SELECTOR, "ipBlock": {"cidr": STR, "except": [STR]}}
NET_PORTS = [{"port": PORT, "protocol": STR}]
SPECS = {
    ("v1", "Namespace"): None,
    ("v1", "ConfigMap"): None,
    ("v1", "Service"): {"selector": LABELS, "ports": [{"name": STR, "port": INT, "targetPort": PORT}]},
    ("v1", "PersistentVolumeClaim"): CLAIM,
    ("apps/v1", "Deployment"): {"replicas": INT, "selector": SELECTOR, "template": TEMPLATE,
                                "strategy": {"type": STR, "rollingUpdate": {"maxUnavailable": PORT, "maxSurge": PORT}}},
    ("apps/v1", "StatefulSet"): {"replicas": INT, "selector": SELECTOR, "template": TEMPLATE, "serviceName": STR, "podManagementPolicy": STR,
                                 "volumeClaimTemplates": [{"metadata": META, "spec": CLAIM}]},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "scaleTargetRef": {"apiVersion": STR, "kind": STR, "name": STR}, "minReplicas": INT, "maxReplicas": INT,
        "metrics": [{"type": STR, "resource": {"name": STR, "target": {"type": STR, "averageUtilization": INT}}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": INT}}},
    ("policy/v1", "PodDisruptionBudget"): {"minAvailable": PORT, "maxUnavailable": PORT, "selector": SELECTOR},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"podSelector": SELECTOR, "policyTypes": [STR], "ingress": [{"from": [PEER], "ports": NET_PORTS}],
                                                "egress": [{"to": [PEER], "ports": NET_PORTS}]},
    ("networking.k8s.io/v1", "Ingress"): {
        "ingressClassName": STR, "tls": [{"hosts": [STR], "secretName": STR}],
        "rules": [{"host": STR, "http": {"paths": [{"path": STR, "pathType": STR,
                                                    "backend": {"service": {"name": STR, "port": {"name": STR, "number": INT}}}}]}}]},
}


def wrong(value, schema, where):
    """What is not as the schema has it, one line each."""
    if schema is ANY:
        return []
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return ["%s: want a map" % where]
        out = []
        for key, v in value.items():
            if key not in schema and "*" not in schema:
                out.append("%s: no such key \"%s\"" % (where, key))
            else:
                out += wrong(v, schema.get(key, schema.get("*")), "%s.%s" % (where, key))
        return out
    if isinstance(schema, list):
        if not isinstance(value, list):
            return ["%s: want a list" % where]
        return [w for i, v in enumerate(value) for w in wrong(v, schema[0], "%s[%d]" % (where, i))]
    kinds = schema if isinstance(schema, tuple) else (schema,)
    good = any(isinstance(value, k) and (k is not INT or not isinstance(value, bool)) for k in kinds)
    return [] if good else ["%s: %r is no %s" % (where, value, " or ".join(k.__name__ for k in kinds))]


def check(obj, where):
    key = (obj.get("apiVersion"), obj.get("kind"))
    if key not in SPECS:
        return ["%s: a kind that is not known here: %s" % (where, key)]
    out = wrong(obj.get("metadata"), META, where + ".metadata")
    rest = set(obj) - {"apiVersion", "kind", "metadata", "spec", "data"}
    out += ["%s: no such key \"%s\"" % (where, k) for k in rest]
    if SPECS[key] is not None:
        out += wrong(obj.get("spec"), SPECS[key], where + ".spec")
    return out


def load(path):
    with open(path, encoding="utf-8") as f:
        return [d for d in rig.yaml().safe_load_all(f) if d is not None]


class Kustomization:
    """One folder: its own objects and those of what it names."""

    KEYS = {"apiVersion", "kind", "namespace", "labels", "resources", "components", "configMapGenerator", "images", "replicas", "patches"}

    def __init__(self, folder):
        self.folder = os.path.normpath(folder)
        (self.own,) = load(os.path.join(folder, "kustomization.yaml"))
        self.problems = ["%s: no such key \"%s\"" % (folder, k) for k in set(self.own) - self.KEYS]
        self.used = {"kustomization.yaml"}
        self.objects, self.below = [], []
        for name in self.own.get("resources", []) + self.own.get("components", []):
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                self.below.append(Kustomization(path))
            elif os.path.isfile(path):
                self.used.add(name)
                self.objects += load(path)
            else:
                self.problems.append("%s: %s is not there" % (folder, name))
        for generator in self.own.get("configMapGenerator", []):
            files = {}
            for spec in generator["files"]:
                key, _, name = spec.rpartition("=")
                self.used.add(name)
                if not os.path.isfile(os.path.join(folder, name)):
                    self.problems.append("%s: %s is not there" % (folder, name))
                files[key or os.path.basename(name)] = os.path.join(folder, name)
            if generator.get("behavior") == "merge" and generator["name"] not in self.config_maps():
                self.problems.append("%s: nothing to merge %s into" % (folder, generator["name"]))
            self.objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "files": files})
        for patch in self.own.get("patches", []):
            if "path" in patch:
                self.used.add(patch["path"])
                if not os.path.isfile(os.path.join(folder, patch["path"])):
                    self.problems.append("%s: %s is not there" % (folder, patch["path"]))
        self.problems += [p for k in self.below for p in k.problems]

    def all(self):
        return [o for k in self.below for o in k.all()] + self.objects

    def config_maps(self):
        return {o["metadata"]["name"] for o in self.all() if o["kind"] == "ConfigMap"}

    def unused(self):
        found = {os.path.relpath(os.path.join(d, f), self.folder) for d, _, files in os.walk(self.folder) for f in files}
        return found - self.used
