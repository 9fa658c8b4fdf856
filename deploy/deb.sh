#!/usr/bin/env bash
# A Debian package out of this tree, built in a copy of it: deb.sh FOLDER [VERSION]. `./dev deb` calls it.
# VERSION: instead of the changelog's (a snapshot, or the later one of a test of upgrades).
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
out=$1
version=${2:-}

mkdir -p "$out"
out=$(cd "$out" && pwd)
copy=$out/source
rm -rf "$copy"
mkdir "$copy"
cd "$root"
# What git would take, or everything without git; never a build.
if git rev-parse --git-dir >/dev/null 2>&1; then
	git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do if [ -e "$f" ]; then printf '%s\0' "$f"; fi; done
else
	find . -type f -not -path './build*' -not -path '*/node_modules/*' -print0
fi | tar --null -T - -cf - | tar -xf - -C "$copy"
mv "$copy/deploy/debian" "$copy/debian"
git rev-parse --short=12 HEAD >"$copy/debian/commit" 2>/dev/null || echo unknown >"$copy/debian/commit"
cd "$copy"
if [ -n "$version" ]; then
	sed -i "1s/(.*)/($version)/" debian/changelog
fi
DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS:-parallel=$(nproc)} dpkg-buildpackage -us -uc -b
