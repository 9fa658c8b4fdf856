#!/usr/bin/env bash
# The documents: metrics.md is what the code declares, every link leads to a file and every whole block of YAML is taken by the program.
. "$(dirname "$0")/lint.sh"

problems=$(/usr/bin/python3 -B docs/metrics.py --check 2>&1)
more=$(/usr/bin/python3 -B tests/lint/docs.py "$build_root/shipwatch" 2>&1)
finish "docs: metrics, links and blocks of YAML are right" "$problems${problems:+${more:+$'\n'}}$more"
