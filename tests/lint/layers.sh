#!/usr/bin/env bash
# Includes go downward only: reads every #include "folder/…" line of src and include against the table of layers.
. "$(dirname "$0")/lint.sh"

problems=$(files '^(src|include)/.*\.[ch]$' | xargs -r awk '
BEGIN {
	# folder: what it may include besides itself and include/shipwatch
	may["base"] = " "
	may["probe"] = may["model"] = " base "
	may["stats"] = " base "
	may["rules"] = " base model stats "
	may["config"] = " base model rules "
	may["engine"] = " base model rules stats "
	may["io"] = " base model probe "
	may["source"] = may["signal"] = may["channel"] = may["action"] = " base model "
	may["bus"] = " base model io/loop.h io/wire.h io/resolve.h "
	below = " base probe model stats rules config engine io bus source signal channel action "
	may["sim"] = may["plugins"] = below "plugins.h "
	may["gateway"] = may["worker"] = may["dashboard"] = below "plugins.h sim "
	may["cli"] = may["main"] = below "plugins.h sim gateway worker dashboard cli "
	may["shipwatch"] = " "
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	split(FILENAME, part, "/")
	from = part[2]
	sub(/\..*/, "", from)
	split($0, quoted, "\"")
	to = quoted[2]
	folder = to
	sub(/\/.*/, "", folder)
	if (!(from in may)) {
		print FILENAME ": the folder " from " is in no layer: give it one in tests/lint/layers.sh"
		nextfile
	}
	if (to !~ /\// && to != "plugins.h")
		print FILENAME ":" FNR ": write the folder: \"" to "\""
	else if (folder != from && folder != "shipwatch" && index(may[from], " " folder " ") == 0 && index(may[from], " " to " ") == 0)
		print FILENAME ":" FNR ": " from " may not include \"" to "\""
}')
finish "layers: includes go downward only" "$problems"
