"""The files that TensorFlow Serving and Prometheus read, and the shell scripts' form."""

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from serving import messages
from serving.any_client import BATCH_SIZE
from serving.errors import InputError
from serving.messages import MonitoringConfig, read_text_proto
from serving.stand_in.batching import BatchingParameters

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
SCRIPTS = sorted(CONTAINER.glob("*.sh"))
ALERT_CASES = Path(__file__).parent / "alert_cases.yml"

# What TensorFlow Serving exports and with which labels. A metric that the source calls
# /tensorflow/serving/request_count is :tensorflow:serving:request_count to Prometheus
# (tensorflow_serving/util/prometheus_exporter.cc, GetPrometheusMetricName). Sources, in
# github.com/tensorflow/serving at 0483edb643fd (servables/tensorflow/util.cc) and
# github.com/tensorflow/tensorflow (cc/saved_model/loader.cc). Seen in the metrics of
# tensorflow/serving:2.21.0 by a public tutorial, with these labels.
METRICS = {
    ":tensorflow:serving:request_count": {"model_name", "status"},
    # A Sampler, so a histogram. Some releases also give it `status`.
    ":tensorflow:serving:request_latency_bucket": {"model_name", "API", "entrypoint", "le"},
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
}
# error::Code_Name, tensorflow/core/protobuf/error_codes.proto.
STATUSES = {
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS",
}  # fmt: skip


def _alerts() -> dict[str, dict]:
    (group,) = yaml.safe_load((CONTAINER / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_batching_parameters_are_those_of_the_local_stand_in() -> None:
    """What was measured with the one is what the other does."""
    path = CONTAINER / "batching.config"
    assert BatchingParameters.from_file(path) == BatchingParameters()
    # What the client sends by itself is not refused.
    assert BatchingParameters().max_batch_size >= BATCH_SIZE
    # Otherwise TensorFlow Serving takes defaults that nobody has measured.
    given = read_text_proto(path, messages.BatchingParameters()).ListFields()
    assert {field.name for field, _ in given} == {f.name for f in fields(BatchingParameters)}


def test_a_misspelt_batching_parameter_is_refused(tmp_path: Path) -> None:
    text = (CONTAINER / "batching.config").read_text()
    (tmp_path / "batching.config").write_text(text.replace("max_batch_size", "max_batchsize"))
    with pytest.raises(InputError, match=r"BatchingParameters .*max_batchsize"):
        read_text_proto(tmp_path / "batching.config", messages.BatchingParameters())


def test_prometheus_reads_the_path_that_the_server_has() -> None:
    monitoring = read_text_proto(CONTAINER / "monitoring.config", MonitoringConfig())
    assert monitoring.prometheus_config.enable
    prometheus = yaml.safe_load((CONTAINER / "prometheus.yml").read_text())
    (job,) = prometheus["scrape_configs"]
    assert job["metrics_path"] == monitoring.prometheus_config.path
    (target,) = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    compose = yaml.safe_load((CONTAINER / "docker-compose.yml").read_text())
    assert any(published.endswith(f":{port}") for published in compose["services"][host]["ports"])
    assert prometheus["rule_files"] == ["alerts.yml"]


@pytest.mark.parametrize("name", ["ServingErrors", "ServingSlow", "ModelNotLoaded"])
def test_an_alert_asks_for_metrics_that_there_are(name: str) -> None:
    expression = _alerts()[name]["expr"]
    used = set(re.findall(r":[a-z_]+(?::[a-z_]+)+", expression))
    assert used
    assert used <= METRICS.keys()
    known = {label for metric in used for label in METRICS[metric]}
    asked = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    for names in re.findall(r"(?:by|ignoring) \(([\w, ]+)\)", expression):
        asked += names.split(", ")
    assert asked
    assert set(asked) <= known


def test_statuses_in_alerts_are_statuses() -> None:
    expression = _alerts()["ServingErrors"]["expr"]
    (statuses,) = re.findall(r"status=~\"([A-Z_|]+)\"", expression)
    assert set(statuses.split("|")) < STATUSES
    # Not what the caller did wrong.
    assert not {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} & set(statuses.split("|"))


def test_the_alert_on_a_silent_server_names_its_job() -> None:
    prometheus = yaml.safe_load((CONTAINER / "prometheus.yml").read_text())
    (job,) = prometheus["scrape_configs"]
    jobs = re.findall(r'job="([^"]+)"', _alerts()["ServingDown"]["expr"])
    assert set(jobs) == {job["job_name"]}


def test_promtool_takes_the_configuration(find_program) -> None:
    promtool = find_program("promtool")
    command = [promtool, "check", "config", str(CONTAINER / "prometheus.yml")]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_alerts_sound_when_they_should(find_program) -> None:
    promtool = find_program("promtool")
    command = [promtool, "test", "rules", ALERT_CASES.name]
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ALERT_CASES.parent
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash_that_runs(path: Path, find_program) -> None:
    assert path.stat().st_mode & 0o111
    assert "\nset -euo pipefail\n" in path.read_text()
    subprocess.run([find_program("bash"), "-n", str(path)], check=True)


def test_shellcheck_finds_nothing(find_program) -> None:
    command = [find_program("shellcheck"), "--severity", "style", *map(str, SCRIPTS)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_image_gets_only_what_it_needs() -> None:
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for name in line.split()[:-1]
        if not name.startswith("--")
    ]
    assert sorted(copied) == [
        "batching.config",
        "entrypoint.sh",
        "healthcheck.sh",
        "monitoring.config",
    ]
    # The build gets these and nothing else: a key that lies beside them stays out.
    ignored = (CONTAINER / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert sorted(line.removeprefix("!") for line in ignored[1:]) == sorted(copied)


def test_the_image_runs_as_the_user_that_kubernetes_names() -> None:
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE)
    manifest = (CONTAINER / "kubernetes" / "base" / "deployment.yaml").read_text()
    assert user == "{}:{}".format(*re.findall(r"runAs(?:User|Group): (\d+)", manifest))
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", dockerfile, re.MULTILINE)
    # A stage that starts anew would be root again.
    assert stages == [
        ("tensorflow/serving:${TF_SERVING_VERSION}", "base"),
        ("base", "baked"),
        ("base", "server"),
    ]
