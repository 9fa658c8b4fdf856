#!/usr/bin/env bash
# Builds the image with buildah, in a store of its own, and looks at what came out: image.sh [--debootstrap] [FOLDER]. `./dev image` calls it.
# --debootstrap: the base is made of Debian's packages, for where no registry is reached. FOLDER: the image as an archive for `docker load`.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
bootstrap=
if [ "${1:-}" = --debootstrap ]; then
	bootstrap=1
	shift
fi
out=${1:-$root/build-image}
mkdir -p "$out"
out=$(cd "$out" && pwd)
b=(buildah --root "$out/store" --runroot "$out/run" --storage-driver "${STORAGE_DRIVER:-vfs}")
args=()
if [ -n "$bootstrap" ]; then
	if ! "${b[@]}" inspect --type image localhost/debian:bookworm-slim >/dev/null 2>&1; then
		[ -e "$out/base/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$out/base" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
		base=$("${b[@]}" from scratch)
		"${b[@]}" copy --quiet "$base" "$out/base" / >/dev/null
		"${b[@]}" commit --quiet --rm "$base" localhost/debian:bookworm-slim >/dev/null
	fi
	args+=(--build-arg BASE=localhost/debian:bookworm-slim)
fi
commit=$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# --format docker: OCI's own has no HEALTHCHECK.
"${b[@]}" build --format docker --isolation "${ISOLATION:-chroot}" --layers --ignorefile "$root/docker/Dockerfile.dockerignore" -f "$root/docker/Dockerfile" \
	--build-arg COMMIT="$commit" "${args[@]}" -t shipwatch:latest "$root"

# What came out: who it runs as, that it is whole, that nothing of it wants to be written.
inspect() { "${b[@]}" inspect --type image --format "$1" shipwatch:latest; }
[ "$(inspect '{{.Docker.Config.User}}')" = 10001:10001 ]
inspect '{{.Docker.Config.Healthcheck}}' | grep -q test-health
c=$("${b[@]}" from --pull-never shipwatch:latest)
trap '"${b[@]}" rm "$c" >/dev/null' EXIT
said=$("${b[@]}" run --isolation "${ISOLATION:-chroot}" "$c" -- shipwatch version)
echo "$said"
[[ $said == *"commit $commit"* ]]
"${b[@]}" run --isolation "${ISOLATION:-chroot}" "$c" -- sh -c '[ "$(id -u)" = 10001 ] && [ -w /var/lib/shipwatch ] && [ ! -w /usr/bin/shipwatch ] && ! command -v gcc'
"${b[@]}" run --isolation "${ISOLATION:-chroot}" "$c" -- /usr/libexec/shipwatch/example-service --help >/dev/null
rm -f "$out/shipwatch.tar"
"${b[@]}" push --quiet shipwatch:latest "docker-archive:$out/shipwatch.tar:shipwatch:latest"
ls -l "$out/shipwatch.tar"
