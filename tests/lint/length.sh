#!/usr/bin/env bash
# One idea a file: none over 700 lines; the first line of a C file says what it is for.
. "$(dirname "$0")/lint.sh"

problems=$(files '\.(c|h|py|sh|lua)$|^dev$' | xargs -r -d '\n' awk '
FNR == 1 && FILENAME ~ /\.[ch]$/ && !/^\/\*/ { print FILENAME ": the first line says what the file is for" }
FNR == 701 { print FILENAME ": over 700 lines" }')
finish "length: no file is too long, each C file says what it is for" "$problems"
