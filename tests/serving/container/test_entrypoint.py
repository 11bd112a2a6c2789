"""How the container starts, how it stops, and how it says that it is well.

In place of TensorFlow Serving stands a program that writes down its arguments.
"""

import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
ENTRYPOINT = CONTAINER / "entrypoint.sh"
HEALTHCHECK = CONTAINER / "healthcheck.sh"

FLAGS = {
    line
    for line in Path(__file__).with_name("model_server_flags.txt").read_text().splitlines()
    if not line.startswith("#")
}

MODELS_CONFIG = """\
# Written by python -m export
model_config_list {
  config {
    name: "e012"
    base_path: "/models/e012"
    model_platform: "tensorflow"
    version_labels { key: "stable" value: 1 }
  }
  config { name: 'e003' base_path: "/models/e003" }
}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the entry point with a server that writes its arguments into `arguments`."""
    server = tmp_path / "bin" / "tensorflow_model_server"
    server.parent.mkdir()
    server.write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$@" >"{tmp_path}/.new"\n'
        f'mv "{tmp_path}/.new" "{tmp_path}/arguments"\n'
        "exec ${SERVER_DOES:-sleep 600}\n"
    )
    server.chmod(0o755)
    (tmp_path / "models.config").write_text(MODELS_CONFIG)
    environment = {
        "PATH": f"{server.parent}{os.pathsep}{os.environ['PATH']}",
        "MODELS_CONFIG": str(tmp_path / "models.config"),
    }
    started = []

    def start(*args: str, before: tuple[str, ...] = (), **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, "bash", str(ENTRYPOINT), *args],
            env={**environment, **more},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _await(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def _name(flag: str) -> str:
    assert flag.startswith("--")
    return flag.removeprefix("--").partition("=")[0]


def test_every_flag_is_one_that_the_server_has(start, tmp_path: Path) -> None:
    start(SERVING_CPUS="3", SERVER_DOES="true").wait(60)
    flags = (tmp_path / "arguments").read_text().split()
    names = [_name(flag) for flag in flags]
    assert len(set(names)) == len(names)
    assert set(names) <= FLAGS
    values = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    assert values["model_config_file"] == str(tmp_path / "models.config")
    assert values["tensorflow_intra_op_parallelism"] == "3"
    assert values["tensorflow_inter_op_parallelism"] == "3"
    assert values["allow_version_labels_for_unavailable_models"] == "true"
    assert values["enable_profiler"] == "false"
    assert values["enable_grpc_healthcheck_service"] == "true"
    # Where the Dockerfile puts them.
    assert values["batching_parameters_file"] == "/etc/serving/batching.config"
    assert values["monitoring_config_file"] == "/etc/serving/monitoring.config"


def test_every_flag_that_is_added_is_one_that_the_server_has() -> None:
    deployment = yaml.safe_load((CONTAINER / "kubernetes" / "base" / "deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    added = list(container["args"])
    for path in (
        CONTAINER / "docker-compose.tls.yml",
        CONTAINER / "kubernetes/tls/kustomization.yaml",
    ):
        found = re.findall(r"--ssl_\w+=\S+", path.read_text())
        assert found, path
        added += found
    assert {_name(flag) for flag in added} <= FLAGS


def test_arguments_come_after_the_flags(start, tmp_path: Path) -> None:
    start("--ssl_config_file=/run/secrets/ssl.config", SERVER_DOES="true").wait(60)
    flags = (tmp_path / "arguments").read_text().split()
    assert flags[-1] == "--ssl_config_file=/run/secrets/ssl.config"


def test_it_ends_as_the_server_ends(start) -> None:
    assert start(SERVER_DOES="false").wait(60) == 1


def test_without_models_it_says_what_is_missing(start) -> None:
    process = start(MODELS_CONFIG="/nowhere/models.config")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stderr.startswith("error: Expected a file")
    assert "Received: /nowhere/models.config. " in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(number: signal.Signals, start, tmp_path: Path) -> None:
    process = start()
    _await(tmp_path / "arguments")
    process.send_signal(number)
    # 128 + SIGTERM: what a server without a handler ends with.
    assert process.wait(60) == 143


def test_a_signal_ends_the_server_also_where_this_is_the_first_process(
    start, tmp_path: Path, find_program
) -> None:
    """In a container it is; the kernel keeps from it the signals that it does not handle."""
    unshare = find_program("unshare")
    namespace = (unshare, "--pid", "--fork", "--kill-child")
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespace of processes to be had here")
    process = start(before=namespace)
    _await(tmp_path / "arguments")
    (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)
    assert process.wait(60) == 143


@pytest.fixture
def rest_port() -> Iterator[tuple[int, dict[str, str]]]:
    """A REST port that answers for models the state that the dict names; 404 for others."""
    states: dict[str, str] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/v1/models/")
            body = {"error": f"Could not find any versions of model {name}"}
            if name in states:
                body = {"model_version_status": [{"version": "1", "state": states[name]}]}
            # As TensorFlow Serving writes it.
            text = json.dumps(body, indent=1).encode()
            self.send_response(200 if name in states else 404)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port, states
        server.shutdown()
        thread.join()


@pytest.fixture
def check(rest_port, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the health check on a `models.config`."""

    def check(
        text: str = MODELS_CONFIG, port: int = rest_port[0]
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "models.config").write_text(text)
        return subprocess.run(
            ["bash", str(HEALTHCHECK), str(tmp_path / "models.config"), str(port)],
            check=False,
            capture_output=True,
            text=True,
        )

    return check


def test_it_is_well_when_every_model_is_available(check, rest_port) -> None:
    rest_port[1].update(e012="AVAILABLE", e003="AVAILABLE")
    result = check()
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("state", [None, "LOADING", "END"])
def test_it_is_not_well_when_one_model_is_not_available(
    state: str | None, check, rest_port
) -> None:
    rest_port[1].update({"e012": "AVAILABLE"} | ({"e003": state} if state else {}))
    result = check()
    assert (result.returncode, result.stdout) == (1, "e003: no version is available\n")


def test_it_is_not_well_without_a_server(check) -> None:
    result = check(port=1)
    assert result.returncode == 1
    assert "e012: no version is available" in result.stdout


def test_it_is_not_well_without_a_model(check) -> None:
    result = check("model_config_list {}\n")
    assert result.returncode == 1
    assert result.stdout.startswith("no model in ")


def test_it_reads_the_names_that_protobuf_writes(check, rest_port) -> None:
    """Fields whose name ends in `name` are others, and a comment is none."""
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    entry = config.model_config_list.config.add(name="only", base_path="/models/name: 'x'")
    entry.logging_config.log_collector_config.filename_prefix = "/log"
    rest_port[1].update(only="AVAILABLE")
    text = f'# name: "not this"\n{text_format.MessageToString(config)}'
    assert check(text).returncode == 0
    assert check(text_format.MessageToString(config, as_one_line=True)).returncode == 0
