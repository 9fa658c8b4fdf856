# What the lints share. Sourced with the script's arguments: source folder, build folder (default: build in the source).

set -u
source_root=$(cd "${1:-$(dirname "$0")/../..}" && pwd)
build_root=${2:-$source_root/build}
cd "$source_root" || exit 2

# Files of the project whose names match the extended regular expression $1: what git would take, or all without git.
files() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . -type f -not -path './build*' -not -path '*/node_modules/*' | sed 's#^\./##'
	fi | grep -E "$1" | while IFS= read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done | LC_ALL=C sort
}

# finish WHAT PROBLEMS: one TAP point; the problems, one a line, as its notes.
finish() {
	echo "1..1"
	if [ -z "$2" ]; then
		echo "ok 1 - $1"
		exit 0
	fi
	echo "not ok 1 - $1"
	printf '%s\n' "$2" | sed 's/^/# /'
	exit 1
}
