#!/bin/sh
# A CI report with curl and openssl alone, for where neither shipwatch nor shipwatch-report can be had. Never fails the job.
#
#   PIPELINE_ID=42 JOB_NAME=deploy EXIT_CODE=0 REPO=acme/web SHA=$(git rev-parse HEAD) JOB_URL=https://ci.example.com/42 sh curl.sh
#
# Needs SHIPWATCH_URL and SHIPWATCH_SECRET. Told where they are set: PIPELINE_ID, JOB_NAME, EXIT_CODE (these three are needed; with
# PHASE=started no EXIT_CODE), JOB_ID, PHASE, ATTEMPT, DURATION_MS, COVERAGE_PCT, REPO, BRANCH, TAG, SHA, VERSION, AUTHOR, JOB_URL,
# ENVIRONMENT, SERVICE. openssl is given the secret on its command line, which other users of the same machine can see while it runs:
# where that matters use shipwatch-report.
set -u

text() {      # text NAME VALUE: a member whose value is a text
	[ -z "$2" ] || printf ',"%s":"%s"' "$1" "$(printf %s "$2" | tr '\000-\037' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g')"
}
number() {    # number NAME VALUE
	case $2 in
	'' | *[!0-9.]*) ;;
	*) printf ',"%s":%s' "$1" "$2" ;;
	esac
}

body="{\"phase\":\"${PHASE:-finished}\"$(
	text pipeline_id "${PIPELINE_ID:-}"; text job_name "${JOB_NAME:-}"; text job_id "${JOB_ID:-}"; number exit_code "${EXIT_CODE:-}"
	number attempt "${ATTEMPT:-}"; number duration_ms "${DURATION_MS:-}"; number coverage_pct "${COVERAGE_PCT:-}"
	text repo "${REPO:-}"; text branch "${BRANCH:-}"; text tag "${TAG:-}"; text sha "${SHA:-}"; text version "${VERSION:-}"
	text author "${AUTHOR:-}"; text url "${JOB_URL:-}"; text environment "${ENVIRONMENT:-}"; text service "${SERVICE:-}"
)}"
at=$(date +%s)
signature=$(printf '%s.%s' "$at" "$body" | openssl dgst -sha256 -hmac "${SHIPWATCH_SECRET:-}" -r | cut -d' ' -f1)
printf %s "$body" | curl -fsS --max-time 10 --retry 3 --retry-connrefused --retry-max-time 10 -o /dev/null -H 'Content-Type: application/json' \
	-H "X-Shipwatch-Timestamp: $at" -H "X-Shipwatch-Signature: sha256=$signature" --data-binary @- "${SHIPWATCH_URL:-}/ci-report" ||
	echo "shipwatch: the report was not taken; going on without it" >&2
exit 0
