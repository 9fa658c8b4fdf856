#!/usr/bin/env bash
# docs/openapi.json is what the program says of its API today.
. "$(dirname "$0")/lint.sh"

if [ ! -x "$build_root/shipwatch" ]; then
	echo "1..1"
	echo "ok 1 - openapi # SKIP no program in $build_root"
	exit 0
fi
problems=$("$build_root/shipwatch" dashboard --openapi | /usr/bin/python3 -c '
import json, sys
now = json.load(sys.stdin)
with open("docs/openapi.json", encoding="utf-8") as f:
    kept = json.load(f)
if now != kept:
    print("docs/openapi.json is stale: ./dev docs writes it anew")
' 2>&1)
finish "openapi: the copy of the description is not stale" "$problems"
