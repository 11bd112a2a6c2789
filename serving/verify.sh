#!/bin/bash
# Checks all of the container in one go, on a machine with Docker: builds the image, starts the
# compose file with a copy of your models, and asks the server what it should answer.
#
#   serving/verify.sh --models-dir MODELS
#   serving/verify.sh --run RUN_DIR
#
# MODELS is a folder that `python -m export` wrote; it is copied and stays as it is. With --run a run
# is exported first. One line a step; ends with 0 if all are well. Whatever happens, what was started
# is stopped and removed; the image stays.
#
# Needs Docker with Compose 2.24.4, openssl, and Python with keras-chrome[serving] (PYTHON names it).
set -euo pipefail
# What is copied or written here is read by the container's user, who is somebody else.
umask 022

usage() {
    echo "usage: verify.sh --models-dir MODELS | --run RUN_DIR" >&2
    exit 2
}

[[ $# -eq 2 ]] || usage
case $1 in
    --models-dir | --models | --run) source_kind=$1 ;;
    *) usage ;;
esac
source=$(realpath -e "$2")

cd "$(dirname "$(realpath "$0")")/.."
here=serving/container
python=${PYTHON:-$([[ -x .venv/bin/python ]] && echo .venv/bin/python || echo python3)}
work=$(mktemp -d)
project=keras-chrome-verify-$$
export COMPOSE_PROJECT_NAME=$project

step_number=0
step() {
    step_number=$((step_number + 1))
    printf '%2d. %s\n' "$step_number" "$*"
}

fail() {
    printf 'FAILED after step %d: %s\n' "$step_number" "$*" >&2
    exit 1
}

compose() {
    docker compose -f "$here/docker-compose.yml" "$@"
}

compose_tls() {
    compose -f "$here/docker-compose.tls.yml" "$@"
}

verification() {
    "$python" -m serving.container.verification "$@"
}

is_started=
clean_up() {
    local status=$?
    trap - EXIT
    if [[ -n $is_started ]]; then
        if ((status != 0)); then
            echo "the last lines of the server:" >&2
            compose logs --no-color --tail 30 server >&2 || true
        fi
        compose down --volumes --remove-orphans --timeout 5 >"$work/down.log" 2>&1 ||
            cat "$work/down.log" >&2
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command whose output matters only if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

command -v docker >/dev/null || fail "Expected Docker. Received: no docker in PATH"
quietly docker info || fail "Expected a Docker engine that answers. Is it running?"
quietly docker compose version || fail "Expected Docker Compose, the plugin of Docker"
step "Docker answers"

models=$work/models
if [[ $source_kind == --run ]]; then
    quietly "$python" -m export "$source" --to "$models" --name verified ||
        fail "the run could not be exported"
    step "exported $source"
else
    cp -r "$source" "$models"
    step "copied $source"
fi
read -r model version < <(verification models --models-dir "$models") || fail "no models to serve"
chmod -R a+rX "$work"

read -r GRPC_PORT REST_PORT PROMETHEUS_PORT < <(verification ports --count 3)
MODELS_DIR=$models
SSL_CONFIG=$work/ssl.config
export GRPC_PORT REST_PORT PROMETHEUS_PORT MODELS_DIR SSL_CONFIG
target=localhost:$GRPC_PORT
rest=http://127.0.0.1:$REST_PORT

quietly verification golden --model-dir "$models/$model/$version" --genes "$work/genes.csv" \
    --golden "$work/golden.csv" || fail "no golden predictions"
step "$model $version predicts by itself: $(cat "$work/log")"
marks=$("$python" -c 'import json, sys; print(*json.load(open(sys.argv[1]))["marks"])' \
    "$models/$model/$version/assets/keras_chrome.json")

quietly compose build || fail "the image could not be built"
image=$(compose config --images server)
step "built $image"
user=$(docker image inspect --format '{{.Config.User}}' "$image")
[[ $user == 10001:10001 ]] || fail "Expected user 10001:10001. Received: '$user'"
step "it runs as user $user"

is_started=1
quietly compose up --detach --no-build --wait --wait-timeout 300 || fail "it does not get healthy"
step "started, and healthy by its own check"
quietly verification wait --url "$rest" --model "$model" --version "$version" --timeout-s 60 ||
    fail "not available"
step "$(cat "$work/log")"

# predict OUT VERSION [OPTION...]
predict() {
    # shellcheck disable=SC2086  # marks are several words
    quietly "$python" -m serving.client --target "$target" --model "$model" \
        --model-version "$2" --csv "$work/genes.csv" --marks $marks --quiet --out "$1" "${@:3}"
}

predict "$work/grpc.csv" "$version" || fail "no answer over gRPC"
quietly verification compare --table "$work/grpc.csv" --golden "$work/golden.csv" ||
    fail "gRPC answers otherwise"
step "gRPC: $(cat "$work/log")"
quietly verification rest --url "$rest" --model "$model" --version "$version" \
    --model-dir "$models/$model/$version" --golden "$work/golden.csv" ||
    fail "REST answers otherwise"
step "REST: $(cat "$work/log")"
quietly verification metrics --url "$rest" --model "$model" || fail "no metrics"
step "metrics: $(cat "$work/log")"
quietly verification prometheus --url "http://127.0.0.1:$PROMETHEUS_PORT" --timeout-s 60 ||
    fail "Prometheus does not see it"
step "$(cat "$work/log")"

new_version=$(verification add-version --models-dir "$models" --model "$model")
quietly verification wait --url "$rest" --model "$model" --version "$new_version" \
    --timeout-s 90 || fail "the new version is not taken up"
predict "$work/swapped.csv" "$new_version" || fail "the new version does not answer"
quietly verification compare --table "$work/swapped.csv" --golden "$work/golden.csv" ||
    fail "the new version answers otherwise"
step "$model $new_version was put beside $version, and answers without a restart"

container=$(compose ps --quiet server)
quietly compose stop server || fail "it does not stop"
code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
# 137: Docker lost patience and killed it.
[[ $code == 143 ]] || fail "Expected to stop at SIGTERM, exit code 143. Received: $code"
step "stopped at SIGTERM"

quietly "$here/certificates.sh" "$work/certificates" || fail "no certificates"
quietly "$python" -m serving.container.ssl_config --cert "$work/certificates/server.pem" \
    --key "$work/certificates/server.key" --client-ca "$work/certificates/ca.pem" \
    --out "$SSL_CONFIG" || fail "no ssl.config"
# Its owner alone may read it, so the server must run as that; only root can give it away.
if ((EUID == 0)); then
    chown 10001 "$SSL_CONFIG"
else
    SERVING_UID=$(id -u)
    SERVING_GID=$(id -g)
    export SERVING_UID SERVING_GID
fi
quietly compose_tls up --detach --no-build --wait --wait-timeout 300 server ||
    fail "it does not get healthy with TLS"
step "started with TLS, and healthy"
# is_refused [OPTION...]: for that, not for another fault.
is_refused() {
    ! predict "$work/refused.csv" "$new_version" --timeout-s 5 "$@" 2>/dev/null &&
        grep -q UNAVAILABLE "$work/log"
}
is_refused || fail "Expected a client without TLS to be refused: $(cat "$work/log")"
is_refused --tls-ca "$work/certificates/ca.pem" ||
    fail "Expected a client without a certificate to be refused: $(cat "$work/log")"
step "clients without TLS or without a certificate are refused"
predict "$work/tls.csv" "$new_version" --tls-ca "$work/certificates/ca.pem" \
    --tls-cert "$work/certificates/client.pem" --tls-key "$work/certificates/client.key" ||
    fail "no answer over TLS"
quietly verification compare --table "$work/tls.csv" --golden "$work/golden.csv" ||
    fail "it answers otherwise over TLS"
step "a client with a certificate gets the same predictions"
if quietly verification metrics --url "$rest" --model "$model" 2>/dev/null; then
    fail "Expected REST, which has no TLS, to be closed. Received: an answer"
fi
step "REST, which has no TLS, is closed"
echo "all is well"
