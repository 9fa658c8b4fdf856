#!/usr/bin/env bash
# A plug-in is a file, a line in plugins.c, a line in meson.build, a folder of golden cases and a paragraph in the manual.
# Names what is missing.
. "$(dirname "$0")/lint.sh"

problems=$(files '^src/(source|signal|channel|action)/[^/]*\.c$' | while IFS= read -r f; do
	kind=$(basename "$(dirname "$f")")
	sed -nE "s/^const struct sw_$kind sw_${kind}_([a-z0-9_]+)\b.*/\1/p" "$f" | while IFS= read -r name; do
		grep -q "&sw_${kind}_$name\b" src/plugins.c || echo "$kind $name: no line in src/plugins.c"
		grep -q "'$(basename "$f")'" src/meson.build || echo "$kind $name: no line in src/meson.build"
		[ -n "$(ls "tests/golden/$kind/$name" 2>/dev/null)" ] || echo "$kind $name: no golden case in tests/golden/$kind/$name/"
		if ls docs/*.md >/dev/null 2>&1; then
			grep -qE "\`$name\`" docs/*.md || echo "$kind $name: no paragraph in docs/ names \`$name\`"
		fi
	done
done)
finish "plugins: everything a plug-in consists of is there" "$problems"
