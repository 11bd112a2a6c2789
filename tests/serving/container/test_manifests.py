"""Containers of Compose and of Kubernetes: may they do no more than they need?

Docker Compose itself judges the form of its files.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
COMPOSE = CONTAINER / "docker-compose.yml"
COMPOSE_TLS = CONTAINER / "docker-compose.tls.yml"
_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


class _ComposeLoader(yaml.SafeLoader):
    """Reads Compose's own tags as the value that they mark."""


_ComposeLoader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def _load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), _ComposeLoader)


class Container(NamedTuple):
    """What a compose service and a Kubernetes container have in common."""

    image: str
    user: str
    is_read_only: bool
    dropped: tuple[str, ...]
    may_gain_privileges: bool
    limits: dict[str, Any]
    has_health_check: bool
    published: tuple[str, ...]
    mounts: dict[str, bool]
    """Target of each mount that is not a scratch folder, and whether it is read-only."""


def _of_compose(name: str) -> Container:
    service = _load(COMPOSE)["services"][name]
    checked = "healthcheck" in service or (
        "build" in service and "\nHEALTHCHECK " in (CONTAINER / "Dockerfile").read_text()
    )
    return Container(
        image=_DEFAULT.sub(r"\1", service["image"]),
        user=_DEFAULT.sub(r"\1", service["user"]),
        is_read_only=service["read_only"],
        dropped=tuple(service["cap_drop"]),
        may_gain_privileges="no-new-privileges:true" not in service["security_opt"],
        limits=service["deploy"]["resources"]["limits"],
        has_health_check=checked,
        published=tuple(service["ports"]),
        mounts={v["target"]: v.get("read_only", False) for v in service["volumes"]},
    )


def _of_kubernetes(name: str) -> Container:
    deployment = _load(CONTAINER / "kubernetes" / "base" / "deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = [c for c in pod["containers"] if c["name"] == name]
    context = container["securityContext"]
    security = pod["securityContext"]
    scratch = {v["name"] for v in pod["volumes"] if "emptyDir" in v}
    return Container(
        image=container["image"],
        user=f"{security['runAsUser']}:{security['runAsGroup']}" * security["runAsNonRoot"],
        is_read_only=context["readOnlyRootFilesystem"],
        dropped=tuple(context["capabilities"]["drop"]),
        may_gain_privileges=context["allowPrivilegeEscalation"],
        limits=container["resources"]["limits"],
        has_health_check={"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(),
        published=(),
        mounts={
            m["mountPath"]: m.get("readOnly", False)
            for m in container["volumeMounts"]
            if m["name"] not in scratch
        },
    )


CONTAINERS: dict[str, Callable[[], Container]] = {
    "compose server": lambda: _of_compose("server"),
    "compose prometheus": lambda: _of_compose("prometheus"),
    "kubernetes serving": lambda: _of_kubernetes("serving"),
}
# What a container must write to beside its scratch folder.
WRITABLE = {"/prometheus"}


def _faults(container: Container) -> Iterator[str]:
    _, _, tag = container.image.rpartition("/")[2].partition(":")
    if not re.fullmatch(r"v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", tag):
        yield "image without a version"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", container.user):
        yield "may be root"
    if not container.is_read_only:
        yield "root file system can be written"
    if container.dropped != ("ALL",):
        yield "keeps capabilities"
    if container.may_gain_privileges:
        yield "may gain privileges"
    if missing := {"cpu", "memory"} - {key.removesuffix("s") for key in container.limits}:
        yield f"without a limit of {', '.join(sorted(missing))}"
    if not container.has_health_check:
        yield "without a health check"
    if not all(port.startswith("127.0.0.1:") for port in container.published):
        yield "reachable from other machines"
    if any(not is_read_only for t, is_read_only in container.mounts.items() if t not in WRITABLE):
        yield "a mount can be written"


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_may_do_no_more_than_it_needs(name: str) -> None:
    assert list(_faults(CONTAINERS[name]())) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"image": "keras-chrome-serving:latest"}, "image without a version"),
        ({"image": "localhost:5000/keras-chrome-serving"}, "image without a version"),
        ({"user": "0:0"}, "may be root"),
        ({"user": ""}, "may be root"),
        ({"is_read_only": False}, "root file system can be written"),
        ({"dropped": ("NET_RAW",)}, "keeps capabilities"),
        ({"may_gain_privileges": True}, "may gain privileges"),
        ({"limits": {"cpus": "2"}}, "without a limit of memory"),
        ({"has_health_check": False}, "without a health check"),
        ({"published": ("8500:8500",)}, "reachable from other machines"),
        ({"mounts": {"/models": False}}, "a mount can be written"),
    ],
)
def test_a_container_that_may_do_more_is_found(change: dict[str, Any], fault: str) -> None:
    assert list(_faults(_of_compose("server")._replace(**change))) == [fault]


def _compose_config(program: str, *files: Path) -> subprocess.CompletedProcess[str]:
    names = [argument for file in files for argument in ("-f", str(file))]
    return subprocess.run([program, *names, "config"], check=False, capture_output=True, text=True)


def test_compose_takes_the_files(find_program) -> None:
    program = find_program("docker-compose")
    plain = _compose_config(program, COMPOSE)
    assert plain.returncode == 0, plain.stderr
    # No variable without a value, no field that is going out of use.
    assert "warn" not in plain.stderr.lower()
    tls = _compose_config(program, COMPOSE, COMPOSE_TLS)
    assert tls.returncode == 0, tls.stderr
    services = {
        name: yaml.safe_load(result.stdout)["services"]["server"]
        for name, result in {"plain": plain, "tls": tls}.items()
    }
    ports = {name: [p["target"] for p in s["ports"]] for name, s in services.items()}
    # REST has no TLS: it must not be published beside a gRPC that has.
    assert ports == {"plain": [8500, 8501], "tls": [8500]}
    (flag,) = services["tls"]["command"]
    mounts = {v["target"]: v["read_only"] for v in services["tls"]["volumes"]}
    assert mounts[flag.removeprefix("--ssl_config_file=")] is True
    assert mounts.keys() == {"/models", "/run/secrets/ssl.config"}


def test_compose_refuses_a_fault(find_program, tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.yml"
    faulty.write_text("services: {server: {read_olny: true}}\n")
    result = _compose_config(find_program("docker-compose"), COMPOSE, faulty)
    assert result.returncode != 0
    assert "read_olny" in result.stderr
