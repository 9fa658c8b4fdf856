#!/bin/sh
# A release goes bad: the service of compose.yaml turns ill, and a webhook as GitLab sends it tells that it was deployed. Within seconds
# the worker alerts and takes the release back (docker compose -f docker/compose.yaml logs worker). A second run is a second release.
set -eu
gateway=${GATEWAY:-http://127.0.0.1:8080}
web=${WEB:-http://127.0.0.1:8000}
token=$(cat "${TOKEN_FILE:-$(dirname "$0")/secrets/gitlab-token}")
id=$(date +%s%N | cut -c1-13)
sha=$(printf '%s' "$id" | sha1sum | cut -c1-40)

curl -fsS -o /dev/null -X POST "$web/knobs?health=fail&commit=$sha&version=1.5.0"
curl -fsS -X POST "$gateway/hooks/gitlab" -H "X-Gitlab-Token: $token" -H 'X-Gitlab-Event: Deployment Hook' -H 'Content-Type: application/json' --data @- <<END
{"object_kind":"deployment","status":"success","deployment_id":$id,"deployable_id":$id,"environment":"prod","environment_tier":"production",
 "project":{"id":1,"name":"web","web_url":"https://gitlab.example.com/acme/web","path_with_namespace":"acme/web","default_branch":"main"},
 "short_sha":"$(printf '%.8s' "$sha")","ref":"main","commit_url":"https://gitlab.example.com/acme/web/-/commit/$sha",
 "commit_title":"Faster checkout","user":{"id":7,"name":"Lin Wei","username":"lin.wei"}}
END
echo
