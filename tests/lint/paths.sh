#!/usr/bin/env bash
# Nothing in the tree names the machine it was written on, the hosts of its package registries, or holds a copy of a recorded payload.
. "$(dirname "$0")/lint.sh"

hosts=$({
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null
	npm config get registry 2>/dev/null
} | grep -oE 'https?://[^/ ]+' | sed 's#.*//##; s#.*@##; s#:.*##' | grep -F . | sort -u | sed 's/\./\\./g' | paste -sd'|')
top=$(dirname "$source_root")
[ "$top" = / ] && top=$source_root
problems=$(files '^[^/]|/' | grep -v '^tests/lint/paths\.sh$' |
	xargs -r -d '\n' grep -nIE "(^|[^A-Za-z0-9_.])($top/|/root/|/home/[a-z])${hosts:+|$hosts}" | cut -c1-160)
if [ -d ../shared/payloads ]; then
	sums=$(mktemp)
	find ../shared/payloads -name '*.json' -size +0 -exec sha256sum {} + | awk '{ print $1 }' | sort -u >"$sums"
	problems+=$(files '\.json$' | xargs -r -d '\n' sha256sum | awk 'NR == FNR { known[$1]; next } $1 in known { print $2 ": a copy of a recorded payload" }' "$sums" -)
	rm -f "$sums"
fi
finish "paths: the tree names no machine, no registry host and holds no recorded payload" "$problems"
