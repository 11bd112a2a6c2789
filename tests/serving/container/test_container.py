"""The container, asked what it should answer.

    pytest -m slow tests/serving/container/test_container.py
    KERAS_CHROME_MODELS=models pytest -m slow tests/serving/container/test_container.py

Where there is a Docker engine, the image is built and started with a copy of the models, the
tests' own or those of a folder that `python -m export` wrote. Elsewhere a stand-in for Docker
starts what the image would start, as processes.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from free_ports import free_ports
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from serving.client import Client
from serving.container.ssl_config import main as write_ssl_config
from serving.errors import ServerError
from serving.models_config import read_models
from serving.predictions import Prediction
from serving.rest_client import RestClient
from serving.tls import Tls

pytestmark = [pytest.mark.slow, pytest.mark.serving]
CONTAINER = Path(__file__).parents[3] / "serving" / "container"
WAIT_S = 120


class Docker:
    """Docker Compose with the files of the container, for one copy of the models."""

    def __init__(self, models_dir: Path, environment: dict[str, str]) -> None:
        self.models_dir = models_dir
        names = ("GRPC_PORT", "REST_PORT", "PROMETHEUS_PORT")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.ssl_config = models_dir.parent / "ssl.config"
        self._environment = {
            **environment,
            **{name: str(port) for name, port in self.ports.items()},
            "MODELS_DIR": str(models_dir),
            "SSL_CONFIG": str(self.ssl_config),
            "COMPOSE_PROJECT_NAME": f"keras-chrome-test-{os.getpid()}",
            "SERVING_UID": str(os.getuid() or 10001),
            "SERVING_GID": str(os.getgid() or 10001),
        }

    def run(self, *arguments: str) -> str:
        """Run a command of Docker, and what it prints."""
        done = subprocess.run(
            ["docker", *arguments], env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def compose(self, *arguments: str, tls: bool = False) -> str:
        """Run a command of Docker Compose."""
        files = ["docker-compose.yml", *(["docker-compose.tls.yml"] if tls else [])]
        named = [part for file in files for part in ("-f", str(CONTAINER / file))]
        return self.run("compose", *named, *arguments)

    def up(self, *services: str, tls: bool = False) -> None:
        """Start services, and wait until they are healthy."""
        wait = ("--wait", "--wait-timeout", "300")
        self.compose("up", "--detach", "--no-build", *wait, *services, tls=tls)

    @property
    def target(self) -> str:
        """Address of gRPC."""
        return f"localhost:{self.ports['GRPC_PORT']}"

    @property
    def rest_url(self) -> str:
        """Address of REST."""
        return f"http://127.0.0.1:{self.ports['REST_PORT']}"


@pytest.fixture(scope="module")
def docker(
    find_program: Callable[[str], str],
    models_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Docker]:
    """The services, running."""
    folder = tmp_path_factory.mktemp("container")
    copied = folder / "models"
    if own := os.environ.get("KERAS_CHROME_MODELS"):
        shutil.copytree(own, copied)
    else:
        shutil.copytree(models_dir / "tiny" / "12", copied / "tiny" / "12")
        (copied / "models.config").write_text(
            'model_config_list { config { name: "tiny" base_path: "/models/tiny" '
            'model_platform: "tensorflow" model_version_policy { all {} } } }'
        )
    # The container's user, who is somebody else, reads it.
    subprocess.run(["chmod", "-R", "a+rX", folder.parent], check=True)
    environment = dict(os.environ)
    if not _is_there("info") or not _is_there("compose", "version"):
        environment |= _stand_in(folder, Path(find_program("docker-compose")).parent)
    docker = Docker(copied, environment)
    try:
        docker.compose("build")
        docker.up()
        yield docker
    finally:
        docker.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def _is_there(*command: str) -> bool:
    try:
        return subprocess.run(["docker", *command], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _stand_in(folder: Path, compose_dir: Path) -> dict[str, str]:
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    script = Path(__file__).with_name("docker_stand_in.py")
    program.write_text(f'#!/bin/bash\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    (folder / "state").mkdir()
    places = [str(program.parent), str(compose_dir), os.environ["PATH"]]
    return {"PATH": os.pathsep.join(places), "DOCKER_STAND_IN_STATE": str(folder / "state")}


class Golden(NamedTuple):
    """A model, genes, and what the SavedModel says of them by itself."""

    model: str
    version: int
    marks: tuple[str, ...]
    signal: np.ndarray
    answer: np.ndarray


@pytest.fixture(scope="module")
def golden(docker: Docker) -> Golden:
    model = read_models(docker.models_dir)[0].name
    version = max(int(path.name) for path in (docker.models_dir / model).iterdir())
    signatures = tf.saved_model.load(str(docker.models_dir / model / str(version))).signatures
    _, num_bins, num_marks = signatures["predict"].structured_input_signature[1]["signal"].shape
    signal = np.random.default_rng(0).negative_binomial(1, 0.2, (16, num_bins, num_marks))
    signal = signal.astype(np.float32)
    (answer,) = signatures["predict"](signal=tf.constant(signal)).values()
    with Client(docker.target, model, version) as client:
        return Golden(model, version, client.description.marks, signal, answer.numpy())


def check(prediction: Prediction, golden: Golden) -> None:
    np.testing.assert_allclose(prediction.answer, golden.answer, rtol=1e-5, atol=1e-5)


def wait_until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_it_runs_as_nobody_who_is_known(docker: Docker) -> None:
    image = docker.compose("config", "--images", "server")
    user = docker.run("image", "inspect", "--format", "{{.Config.User}}", image)
    assert user == "10001:10001"


def test_it_answers_as_the_saved_model_does(docker: Docker, golden: Golden) -> None:
    for kind, address in ((Client, docker.target), (RestClient, docker.rest_url)):
        with kind(address, golden.model, golden.version) as client:
            check(client.predict(golden.signal, marks=golden.marks), golden)


def test_it_tells_its_health(docker: Docker) -> None:
    with grpc.insecure_channel(docker.target) as channel:
        # As Kubernetes' probes ask: of the whole server, whose name is empty.
        answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=60)
    assert answer.status == HealthCheckResponse.SERVING


def test_nobody_profiles_it(docker: Docker) -> None:
    with grpc.insecure_channel(docker.target) as channel:
        profile = channel.unary_unary("/tensorflow.ProfilerService/Profile")
        with pytest.raises(grpc.RpcError) as refused:
            profile(b"", timeout=60)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_prometheus_reads_it(docker: Docker) -> None:
    metrics = requests.get(f"{docker.rest_url}/monitoring/prometheus/metrics", timeout=60).text
    assert ":tensorflow:serving:request_count{" in metrics
    url = f"http://127.0.0.1:{docker.ports['PROMETHEUS_PORT']}/api/v1"

    def is_up() -> bool:
        targets = requests.get(f"{url}/targets", timeout=60).json()["data"]["activeTargets"]
        return {"up"} == {target["health"] for target in targets}

    wait_until(is_up)
    groups = requests.get(f"{url}/rules?type=alert", timeout=60).json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in groups) == 4


def test_it_takes_up_a_new_version(docker: Docker, golden: Golden) -> None:
    versions = docker.models_dir / golden.model
    hidden = docker.models_dir / ".new"
    shutil.copytree(versions / str(golden.version), hidden)
    hidden.rename(versions / str(golden.version + 1))
    with Client(docker.target, golden.model, golden.version + 1) as client:
        with_status = Client(docker.target, golden.model)
        wait_until(lambda: with_status.status().get(golden.version + 1) == "AVAILABLE")
        with_status.close()
        check(client.predict(golden.signal, marks=golden.marks), golden)


def test_it_ends_at_sigterm_and_starts_with_tls(
    docker: Docker, golden: Golden, find_program: Callable[[str], str], tmp_path: Path
) -> None:
    find_program("openssl")
    container = docker.compose("ps", "--quiet", "server")
    docker.compose("stop", "server")
    # 137: Docker lost patience and killed it.
    assert docker.run("inspect", "--format", "{{.State.ExitCode}}", container) == "143"

    tls = tmp_path / "tls"
    subprocess.run([CONTAINER / "certificates.sh", tls], check=True, capture_output=True)
    files = ("--cert", "server.pem", "--key", "server.key", "--client-ca", "ca.pem")
    named = [str(tls / part) if not part.startswith("-") else part for part in files]
    write_ssl_config([*named, "--out", str(docker.ssl_config)])
    if os.getuid() == 0:
        # Its owner alone may read it, and the server runs as that.
        os.chown(docker.ssl_config, 10001, 10001)
    docker.up("server", tls=True)
    for refused in (None, Tls(tls / "ca.pem")):
        with Client(docker.target, golden.model, tls=refused, timeout_s=5) as client:
            with pytest.raises(ServerError) as error:
                client.predict(golden.signal, marks=golden.marks)
            assert error.value.code is grpc.StatusCode.UNAVAILABLE
    own = Tls(tls / "ca.pem", tls / "client.pem", tls / "client.key")
    with Client(docker.target, golden.model, tls=own) as client:
        check(client.predict(golden.signal, marks=golden.marks), golden)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{docker.rest_url}/v1/models/{golden.model}", timeout=60)
