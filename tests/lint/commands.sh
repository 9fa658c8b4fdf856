#!/usr/bin/env bash
# Every command and option stands in docs/commands.md as the program's own help says it.
. "$(dirname "$0")/lint.sh"

if [ ! -x "$build_root/shipwatch" ]; then
	echo "1..1"
	echo "ok 1 - commands # SKIP no program in $build_root"
	exit 0
fi
problems=$(/usr/bin/python3 -B docs/commands.py --check "$build_root/shipwatch" 2>&1)
finish "commands: the manual has every command and option" "$problems"
