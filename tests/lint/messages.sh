#!/usr/bin/env bash
# docs/messages.md shows what the program sends today, docs/templates.md the values and templates it knows.
. "$(dirname "$0")/lint.sh"

if [ ! -x "$build_root/shipwatch" ]; then
	echo "1..1"
	echo "ok 1 - messages # SKIP no program in $build_root"
	exit 0
fi
problems=$(/usr/bin/python3 -B docs/messages.py --check "$build_root/shipwatch" 2>&1)
finish "messages: the page shows what each channel is sent" "$problems"
