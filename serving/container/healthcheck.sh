#!/bin/bash
# Succeeds if every model of models.config has a version that answers.
#
# REST lists no models, so the names come from the file. The image has neither curl nor a gRPC
# probe; bash opens the REST port by itself.
#
#   healthcheck.sh [MODELS_CONFIG [REST_PORT]]
set -euo pipefail

models_config=${1:-${MODELS_CONFIG:-/models/models.config}}
rest_port=${2:-8501}

# The field `name`, in either kind of quotes; not a field whose name ends so, and not in a remark.
names=$(grep -v '^[[:space:]]*#' "$models_config" |
    grep -oE "(^|[[:space:]{])name[[:space:]]*:[[:space:]]*(\"[^\"]+\"|'[^']+')" |
    sed -E "s/.*[\"']([^\"']+)[\"']\$/\1/") || true
if [[ -z $names ]]; then
    echo "no model in $models_config"
    exit 1
fi

is_available() {
    exec 3<>"/dev/tcp/127.0.0.1/$rest_port" || return 1
    printf 'GET /v1/models/%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3
    # Ends at the first match, also where the server leaves the connection open.
    timeout 3 grep -Eq '"state": *"AVAILABLE"' <&3
}

failed=0
while IFS= read -r name; do
    if ! is_available "$name"; then
        echo "$name: no version is available"
        failed=1
    fi
done <<<"$names"
exit "$failed"
