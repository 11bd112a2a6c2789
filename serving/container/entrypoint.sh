#!/bin/bash
# Starts TensorFlow Serving with every flag that matters here; arguments are added to them.
#
# It prints "unknown argument" at a flag that it does not know, and serves without it: the tests hold
# the flags below to its source.
set -euo pipefail

models_config=${MODELS_CONFIG:-/models/models.config}
config_dir=${SERVING_CONFIG_DIR:-/etc/serving}
cpus=${SERVING_CPUS:-2}

if [[ ! -r $models_config ]]; then
    echo "error: Expected a file that names the models and can be read." \
        "Received: $models_config. python -m export writes it; mount its folder at /models" >&2
    exit 2
fi

flags=(
    --port=8500
    --rest_api_port=8501
    --model_config_file="$models_config"
    # New versions and new models are taken up without a restart.
    --model_config_file_poll_wait_seconds=10
    --file_system_poll_wait_seconds=2
    # At the start no version is loaded yet, and without this a label on one ends the server.
    --allow_version_labels_for_unavailable_models=true
    # A version that cannot be loaded is given up after half a minute, not after five.
    --max_num_load_retries=5
    --load_retry_interval_micros=5000000
    --enable_model_warmup=true
    # On by itself, and whoever may ask for a profile names a folder that it is written to.
    --enable_profiler=false
    # gRPC's own health service, which Kubernetes asks.
    --enable_grpc_healthcheck_service=true
    --enable_batching=true
    --batching_parameters_file="$config_dir/batching.config"
    --monitoring_config_file="$config_dir/monitoring.config"
    # By themselves these count the CPUs of the host, not those that the container may use.
    --tensorflow_intra_op_parallelism="$cpus"
    --tensorflow_inter_op_parallelism="$cpus"
    --rest_api_num_threads=16
    --rest_api_timeout_in_ms=30000
    # A request that waits for its batch holds a thread. 4 a CPU, the default, would be too few ever
    # to fill one; its makers advise twice the largest batch.
    --grpc_max_threads=512
)

# The server has no handler for SIGTERM, and to a first process without one the kernel does not
# deliver it: `docker stop` would wait in vain. This shell stays the first process and hands it on.
server=
is_asked=
stop() {
    is_asked=1
    [[ -z $server ]] || kill -TERM "$server" 2>/dev/null || true
}
trap stop TERM INT
tensorflow_model_server "${flags[@]}" "$@" &
server=$!
# A signal that came before the server had a number.
[[ -z $is_asked ]] || stop
# A signal ends a wait before the server has ended.
while :; do
    is_asked=
    status=0
    wait "$server" || status=$?
    [[ -n $is_asked ]] || exit "$status"
done
