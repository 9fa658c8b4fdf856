"""What can be checked of the documents: links, names of metrics, components of the log and paths of HTTP, and the YAML of the guides.

A block of YAML is whole, and loaded, where its first line is `# shipwatch.yaml` or `# rules.yaml`.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

GUIDES = ("README.md", "README.zh-CN.md", "docs/getting-started.md", "docs/cookbook.md")
# Pages whose words of this shape are metrics of Shipwatch itself.
OWN_METRICS = ("docs/operations.md", "docs/troubleshooting.md", "docs/security.md", "docs/alerts.md", "docs/sources.md", "docs/performance.md")
# What rules of the guides may name, and nothing else.
PLACE = """
public_url: "https://shipwatch.example.com"
gateway: {approvals: true}
programs: [/bin/true]
sources: {gitlab: {tokens: ["${TOKEN}"]}, ci: {kind: report, secrets: ["${TOKEN}"]}, alertmanager: {tokens: ["${TOKEN}"]}}
people: {lin: {gitlab: lin, email: lin@example.com}, mo: {gitlab: mo, email: mo@example.com}}
oncall: {people: [lin]}
channels: {oncall: {kind: console}, releases: {kind: console}}
alerts: oncall
actions: {undo-web: {kind: exec, program: /bin/true}}
services:
  web:
    repo: acme/web
    limits: {p95: 800ms, coverage: 80%}
    environments:
      prod: {health: "https://web.example.com/health", prometheus: "http://prometheus:9090", rollback: undo-web}
rules: [rules.yaml]
"""
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)\}")


def decide(program):
    """The recipes are rules of one test file: what they fire on, and what not."""
    with tempfile.TemporaryDirectory() as folder:
        recipes = [text for _, text in blocks("docs/cookbook.md")]
        for i, text in enumerate(recipes):
            with open(os.path.join(folder, "%d.yaml" % i), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(folder, "test.yaml"), "w", encoding="utf-8") as f:
            f.write("rule_files: [%s]\n" % ", ".join("%d.yaml" % i for i in range(len(recipes))) + read("tests/lint/cookbook_test.yaml"))
        p = subprocess.run([program, "test", os.path.join(folder, "test.yaml")], text=True, capture_output=True, check=False, timeout=60)
    if p.returncode:
        print("docs/cookbook.md: " + (p.stdout + p.stderr).replace(folder + "/", "").strip())


def same():
    """The two READMEs lead to the same pages and name the same commands."""
    sides = []
    for path in ("README.md", "README.zh-CN.md"):
        text = read(path)
        words = re.findall(r"\]\((?!README)([^)\s]+)\)|`((?:\./dev|build/shipwatch|shipwatch) [^`]*)`|^((?:\./dev|build/shipwatch) .*?)(?:  +#.*)?$", text, re.M)
        sides.append({"".join(w).replace("<your address>", "").strip() for w in words})
    for word in sorted(sides[0] ^ sides[1]):
        print("README%s.md: %s is not in it" % (".zh-CN" if word in sides[0] else "", word))


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def blocks(path):
    """(line, text) of each block of YAML."""
    lines = read(path).split("\n")
    at = None
    for i, line in enumerate(lines):
        if at is None and line.strip() == "```yaml":
            at = i + 1
        elif at is not None and line.strip() == "```":
            yield at + 1, "\n".join(lines[at:i]) + "\n"
            at = None


def links(path):
    text = re.sub(r"```.*?```|`[^`\n]*`", lambda m: re.sub(r"[^\n]", " ", m.group(0)), read(path), flags=re.S)
    for m in re.finditer(r"\]\(([^)\s]+)\)", text):
        target = m.group(1).split("#")[0]
        if target and not re.match(r"[a-z]+:", target) and not os.path.exists(os.path.join(os.path.dirname(path), target)):
            print("%s:%d: %s is not there" % (path, text.count("\n", 0, m.start()) + 1, target))


def check(program, where, config, rules):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("shipwatch.yaml", config), ("rules.yaml", rules)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        env = dict(os.environ, **{name: "https://example.com/a-value-that-is-long-enough" for name in VARIABLE.findall(config)})
        p = subprocess.run([program, "check", "--strict", "-c", os.path.join(folder, "shipwatch.yaml")], env=env, text=True, capture_output=True,
                           check=False, timeout=60)
    if p.returncode:
        print("%s: %s" % (where, "; ".join((p.stdout + p.stderr).replace(folder + "/", "").strip().split("\n"))))


def names():
    """What the code has and its page does not; what pages name and the code does not have."""
    log, http, families = read("docs/logs.md"), read("docs/http.md"), read("docs/metrics.md")
    for path in sorted(glob.glob("src/**/*.c", recursive=True)):
        text = read(path)
        for m in re.finditer(r'^#define LOG +"([^"]+)"', text, re.M):
            if "`%s`" % m.group(1) not in log:
                print("docs/logs.md: the component %s of %s is not there" % (m.group(1), path))
        for m in re.finditer(r'^(?:const struct route.*)?\s*\{ "(?:GET|POST)", "([^"]+)", SW_ROLE', text, re.M):
            if not m.group(1).startswith("/api/") and not re.search(r"`%s(<id>)?`" % re.escape(m.group(1)), http):
                print("docs/http.md: %s of %s is not there" % (m.group(1), path))
    for m in re.finditer(r'\{ "(\w+)", now->\w+ \}', read("src/probe/log.c")):
        if "`%s`" % m.group(1) not in log:
            print("docs/logs.md: the field %s is not there" % m.group(1))
    for path in OWN_METRICS:
        for name in sorted(set(re.findall(r"`(shipwatch_[a-z_]+[a-z])(?=[`{ ])", read(path)))):
            if "`%s`" % name not in families:
                print("%s: there is no metric %s" % (path, name))


def main():
    program = sys.argv[1]
    for path in sorted(glob.glob("README*.md") + glob.glob("docs/*.md") + glob.glob("deploy/**/*.md", recursive=True)):
        links(path)
    names()
    same()
    if not os.path.exists(program):
        return
    for path in GUIDES:
        whole = {"# shipwatch.yaml": [], "# rules.yaml": []}
        for line, text in blocks(path):
            whole.get(text.split("\n", 1)[0], []).append((line, text))
        if not whole["# rules.yaml"]:
            print("%s: has no rules that are whole" % path)
            continue
        for line, text in whole["# shipwatch.yaml"]:
            check(program, "%s:%d" % (path, line), text, whole["# rules.yaml"][0][1])
        for line, text in whole["# rules.yaml"]:
            check(program, "%s:%d" % (path, line), PLACE, text)
    decide(program)


if __name__ == "__main__":
    main()
