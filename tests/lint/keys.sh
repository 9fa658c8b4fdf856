#!/usr/bin/env bash
# A setting exists once, as a row of a table of struct sw_key: every row has a line of help and stands in the manual.
. "$(dirname "$0")/lint.sh"

problems=$(/usr/bin/python3 - <<'END'
import glob, os, re

manual = "".join(open(p, encoding="utf-8").read() for p in glob.glob("docs/**/*.md", recursive=True))
have_manual = os.path.exists("docs/configuration.md")
row = re.compile(r'\{\s*"([^"]+)"\s*,\s*(SW_KEY_[A-Z]+)\s*,(.*?)\}\s*,', re.S)
literal = re.compile(r'"(?:[^"\\]|\\.)*"|NULL\b')
for path in sorted(glob.glob("src/**/*.c", recursive=True)):
    text = open(path, encoding="utf-8").read()
    for m in row.finditer(text):
        where = "%s:%d" % (path, text.count("\n", 0, m.start()) + 1)
        rest = m.group(3)
        rest = rest[rest.find(")") + 1:] if "offsetof" in rest else rest.split(",", 1)[-1]
        # what follows the offset: the default, then the help (adjacent literals are one)
        words = [w for w in re.split(r'\s*,\s*(?=(?:[^"]*"[^"]*")*[^"]*$)', rest.strip().lstrip(",").strip()) if w]
        helps = "".join(w[1:-1] for w in literal.findall(words[1]) if w != "NULL") if len(words) > 1 else ""
        if not helps.strip() and not (len(words) > 1 and re.match(r"[A-Z_]+$|\w+", words[1]) and not words[1].startswith(("NULL", '"', "0"))):
            print(f'{where}: the setting "{m.group(1)}" has no help')
        if have_manual and not re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(m.group(1)), manual):
            print(f'{where}: the setting "{m.group(1)}" is not in docs/')
END
)
finish "keys: every setting has help and is in the manual" "$problems"
