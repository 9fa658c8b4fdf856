#!/usr/bin/env bash
# The engine, the rules and the plug-ins are pure: their libraries call our own functions and plain libc on memory, nothing that
# reads a clock, opens, waits or talks. Reads nm -u of each static library.
. "$(dirname "$0")/lint.sh"

# memory and text, numbers, formatting into memory, calendar arithmetic on given moments; what compilers and sanitizers add
plain='mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|(raw)?memchr|str(len|nlen|cmp|ncmp|casecmp|ncasecmp|chr|rchr|chrnul|str|casestr|spn|cspn|pbrk)|stpcpy'
plain+='|strto(d|l|ll|ul|ull|imax|umax)|__isoc[0-9]*_strto[a-z]+|v?snprintf|__v?snprintf_chk|__(mem(cpy|move|set|pcpy)|explicit_bzero)_chk|explicit_bzero'
plain+='|qsort|qsort_r|bsearch|__ctype_(b|tolower|toupper)_loc|is[a-z]+|to(lower|upper)|__errno_location|gmtime_r|timegm'
plain+='|f?(abs|floor|ceil|round|trunc|min|max|mod|dim|ma)|l?l?(round|rint|abs)|(lgamma(_r)?|erfc?|exp[12m]*|log[12p0]*|pow|sqrt|cbrt|ldexp|frexp|modf|hypot|nan|copysign|scalbn)'
plain+='|__(isnan|isinf|finite|signbit|fpclassify)|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|abort|__assert_fail'
plain+='|__(a|ub)san_.*|__sancov_.*|__sanitizer_.*|__start___.*|__stop___.*|__llvm_.*|__gcov_.*'

problems=
seen=0
for layer in engine rules stats source signal channel action; do
	lib=$build_root/src/libsw_$layer.a
	[ -f "$lib" ] || continue
	seen=$((seen + 1))
	also=
	[ $layer = rules ] && also='|pcre2_[a-z_0-9]*'
	# what one file of the library calls in another of the same is not a call to the outside
	bad=$({
		nm --defined-only "$lib" 2>/dev/null | awk 'NF == 3 { print "own", $3 }'
		nm -A -u "$lib" 2>/dev/null | awk '{ print $1, $NF }' | grep -vE " (sw_[a-z0-9_]+|$plain$also)\$"
	} | awk '$1 == "own" { own[$2]; next } !($2 in own)' | sed -E "s#^.*/[a-z]+_([^/]*)\.o: #src/$layer/\1 calls #" | sort -u)
	problems+=${bad:+$bad$'\n'}
done
if [ $seen = 0 ]; then
	echo "1..1"
	echo "ok 1 - pure # SKIP no libraries in $build_root/src"
	exit 0
fi
finish "pure: $seen libraries without I/O and clock" "${problems%$'\n'}"
