#!/usr/bin/env bash
# Nothing in the tree names the machine it was written on, the hosts of its own package registries, or holds a copy of a recorded payload.
. "$(dirname "$0")/lint.sh"

hosts=$({
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null
	npm config get registry 2>/dev/null
} | grep -oE 'https?://[^/ ]+' | sed 's#.*//##; s#.*@##; s#:.*##' | grep -F . | grep -vE '(^|\.)(debian|npmjs)\.org$' | sort -u | sed 's/\./\\./g' | paste -sd'|')
# Where the clone lies, and the folder around it, unless that is a place of every machine that examples may name.
top=$(dirname "$source_root")
case "$top" in
/ | /tmp* | /var* | /opt* | /srv* | /usr* | /mnt* | /media* | /run* | /etc* | /home | /root) top=$source_root ;;
esac
problems=$(files '^[^/]|/' | grep -v '^tests/lint/paths\.sh$' |
	xargs -r -d '\n' grep -nIE "(^|[^A-Za-z0-9_.])($top/|/root/|/home/[a-z])${hosts:+|$hosts}" | cut -c1-160)
payloads=${SW_PAYLOADS:-../shared/payloads}
if [ -d "$payloads" ]; then
	sums=$(mktemp)
	find "$payloads" -name '*.json' -size +0 -exec sha256sum {} + | awk '{ print $1 }' | sort -u >"$sums"
	problems+=$(files '\.json$' | xargs -r -d '\n' sha256sum | awk 'NR == FNR { known[$1]; next } $1 in known { print $2 ": a copy of a recorded payload" }' "$sums" -)
	rm -f "$sums"
fi
finish "paths: the tree names no machine, no registry host and holds no recorded payload" "$problems"
