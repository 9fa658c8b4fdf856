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
isolation=${ISOLATION:-chroot}
# overlay where the kernel lets us mount one, for vfs copies everything at each step.
driver=${STORAGE_DRIVER:-overlay}
buildah --root "$out/store" --runroot "$out/run" --storage-driver "$driver" info >/dev/null 2>&1 || driver=vfs
b=(buildah --root "$out/store" --runroot "$out/run" --storage-driver "$driver")
args=()
if [ -n "$bootstrap" ]; then
	if ! "${b[@]}" inspect --type image localhost/debian:bookworm-slim >/dev/null 2>&1; then
		[ -e "$out/base/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$out/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
		base=$("${b[@]}" from scratch)
		"${b[@]}" copy --quiet "$base" "$out/base" / >/dev/null
		"${b[@]}" commit --quiet --rm "$base" localhost/debian:bookworm-slim >/dev/null
	fi
	args+=(--build-arg BASE=localhost/debian:bookworm-slim)
fi
commit=$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# --format docker: OCI's own has no HEALTHCHECK.
"${b[@]}" build --format docker --isolation "$isolation" --layers --ignorefile "$root/docker/Dockerfile.dockerignore" -f "$root/docker/Dockerfile" \
	--build-arg COMMIT="$commit" "${args[@]}" -t shipwatch:latest "$root"

# What came out: who it runs as, that it is whole, that nothing of it wants to be written.
inspect() { "${b[@]}" inspect --type image --format "$1" shipwatch:latest; }
[ "$(inspect '{{.Docker.Config.User}}')" = 10001:10001 ]
inspect '{{.Docker.Config.Healthcheck}}' | grep -q test-health
c=$("${b[@]}" from --pull-never shipwatch:latest)
trap '"${b[@]}" rm "$c" >/dev/null' EXIT
said=$("${b[@]}" run --isolation "$isolation" "$c" -- shipwatch version)
echo "$said"
[[ $said == *"commit $commit"* ]]
# shellcheck disable=SC2016
"${b[@]}" run --isolation "$isolation" "$c" -- sh -c '[ "$(id -u)" = 10001 ] && [ -w /var/lib/shipwatch ] && [ ! -w /usr/bin/shipwatch ] && ! command -v gcc'
"${b[@]}" run --isolation "$isolation" "$c" -- /usr/libexec/shipwatch/example-service --help >/dev/null
# As a container with a read-only root runs: user 10001, nothing to write but the state; the image's own health check, then SIGTERM.
if command -v ip >/dev/null; then
	health=$(sed -n 's/^HEALTHCHECK .* CMD //p' "$root/docker/Dockerfile")
	# shellcheck disable=SC2016
	unshare --mount --pid --net --fork --kill-child sh -eu -c '
		ip link set lo up
		mount --bind "$1" "$1"
		mount -t proc proc "$1/proc"
		mount -t tmpfs -o uid=10001,gid=10001,mode=750 tmpfs "$1/var/lib/shipwatch"
		printf "state_dir: /var/lib/shipwatch\nredis: {url: unix:///nowhere}\nchannels: {console: {kind: console}}\n" >"$1/var/lib/shipwatch/shipwatch.yaml"
		mount -o remount,ro,bind "$1"
		chroot --userspec=10001:10001 "$1" shipwatch gateway -c /var/lib/shipwatch/shipwatch.yaml &
		gateway=$!
		n=0
		until SHIPWATCH_HEALTH=http://127.0.0.1:8080/health chroot --userspec=10001:10001 "$1" sh -c "$2" 2>/dev/null; do
			n=$((n + 1)); [ $n -lt 100 ] || exit 1
			sleep 0.1
		done
		kill -TERM $gateway
		wait $gateway
	' sh "$("${b[@]}" mount "$c")" "$health"
	"${b[@]}" umount "$c" >/dev/null
	echo "image.sh: it runs with a read-only root, and its health check passes"
else
	echo "image.sh: no ip (package iproute2): not run with a read-only root"
fi
rm -f "$out/shipwatch.tar"
"${b[@]}" push --quiet shipwatch:latest "docker-archive:$out/shipwatch.tar:shipwatch:latest"
ls -l "$out/shipwatch.tar"
