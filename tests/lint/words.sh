#!/usr/bin/env bash
# What the engine says of a rollback is translated: each sentence of act.c and own.c stands in src/model/words.c or said.c.
. "$(dirname "$0")/lint.sh"

problems=$(/usr/bin/python3 - <<'END'
import re

LITERAL = r'"((?:[^"\\]|\\.)*)"'


def sentences(path):
    """(line, sentence) of what people may be told: literals of several words that are no format of a log line, no JSON and no include."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), f.read(), flags=re.S)
    for statement in re.finditer(r"[^;{}]+[;{}]", text):
        if "sw_step_note" in statement.group(0) or "#include" in statement.group(0):
            continue
        for m in re.finditer(r'%s(?:\s*%s)*' % (LITERAL, LITERAL), statement.group(0)):
            said = "".join(re.findall(LITERAL, m.group(0)))
            if " " in said.strip() and "\\" not in said:
                yield text.count("\n", 0, statement.start() + m.start()) + 1, said


def shape(s):
    return re.sub(r"%+", "%", re.sub(r"%[0-9.*]*l*[a-z]", "%", s))


known = set()
for path in ("src/model/words.c", "src/model/said.c"):
    with open(path, encoding="utf-8") as f:
        known |= {shape("".join(re.findall(LITERAL, m))) for m in re.findall(r'\{ ((?:"(?:[^"\\]|\\.)*"\s*)+),', f.read())}
for path in ("src/engine/act.c", "src/engine/own.c"):
    for line, said in sentences(path):
        s = shape(said)
        if s not in known and s.rsplit(" (", 1)[0] not in known and s.rstrip("%").rstrip() not in known:
            print('%s:%d: "%s" is not translated in src/model/words.c or said.c' % (path, line, said))
END
)
finish "words: what is said of a rollback is translated" "$problems"
