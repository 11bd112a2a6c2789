"""Compose files and Kubernetes manifests: are they what they should be, and do they ask for enough?

Kubernetes' own schemas, offline, and Docker Compose itself judge the form.
"""

import copy
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate
import pytest
import yaml

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
MANIFESTS = sorted((CONTAINER / "kubernetes").glob("*.yaml"))
COMPOSE = CONTAINER / "docker-compose.yml"
COMPOSE_TLS = CONTAINER / "docker-compose.tls.yml"
# The oldest that a vendor still sells support for, and the newest that the schemas are there for.
KUBERNETES_VERSIONS = ("1.29", "1.37")
_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


class _ComposeLoader(yaml.SafeLoader):
    """Reads Compose's own tags as the value that they mark."""


_ComposeLoader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def _load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), _ComposeLoader)


def _kind(name: str) -> dict[str, Any]:
    (found,) = [m for m in map(_load, MANIFESTS) if m["kind"] == name]
    return found


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
    pod = _kind("Deployment")["spec"]["template"]["spec"]
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


@pytest.mark.parametrize(
    "path",
    sorted([*CONTAINER.rglob("*.yml"), *CONTAINER.rglob("*.yaml")]),
    ids=lambda path: str(path.relative_to(CONTAINER)),
)
def test_yaml_is_read(path: Path) -> None:
    assert isinstance(_load(path), dict)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_fits_kubernetes_schema(path: Path, version: str) -> None:
    kubernetes_validate.validate(_load(path), version, strict=True)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Deployment", lambda spec: spec["template"]["spec"].update(runAsNonRoot=True)),
        (
            "Deployment",
            lambda spec: spec["template"]["spec"]["containers"][0].update(livenessprobe={}),
        ),
        ("HorizontalPodAutoscaler", lambda spec: spec.update(maxReplicas="many")),
        ("NetworkPolicy", lambda spec: spec.update(ingres=[])),
        ("PodDisruptionBudget", lambda spec: spec.update(maxUnavailble=1)),
    ],
)
def test_a_manifest_with_a_fault_is_refused(
    kind: str, change: Callable[[dict[str, Any]], None]
) -> None:
    manifest = copy.deepcopy(_kind(kind))
    change(manifest["spec"])
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES_VERSIONS[-1], strict=True)


def test_the_pod_satisfies_the_restricted_security_standard() -> None:
    """Pod Security Standards, level restricted, field by field."""
    namespace = _kind("Namespace")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = _kind("Deployment")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "initContainers" not in pod  # they would have to be looked at too
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container["ports"])
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    assert all(volume.keys() - {"name"} <= allowed for volume in pod["volumes"])


def test_the_pod_gets_no_token() -> None:
    account = _kind("ServiceAccount")
    pod = _kind("Deployment")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False


def test_all_manifests_speak_of_the_same_pods() -> None:
    deployment = _kind("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert _kind("Service")["spec"]["selector"] == labels
    assert _kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert _kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    for constraint in deployment["template"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == labels
    assert _kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": _kind("Deployment")["metadata"]["name"],
    }
    # A number here would undo the autoscaler's each time it is applied.
    assert "replicas" not in deployment


def test_a_pod_ends_only_after_its_pause() -> None:
    pod = _kind("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert int(seconds) < pod["terminationGracePeriodSeconds"]


def test_probes_and_services_use_ports_that_the_container_has() -> None:
    (container,) = _kind("Deployment")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        check = container[probe].get("httpGet") or container[probe]["tcpSocket"]
        assert check["port"] in ports
    assert {p["targetPort"] for p in _kind("Service")["spec"]["ports"]} == ports.keys()


def test_the_network_policy_lets_nothing_out() -> None:
    policy = _kind("NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["egress"] == []
    # A rule without `from` would let everybody in.
    assert all(rule["from"] for rule in policy["ingress"])


def test_the_kustomization_holds_every_manifest() -> None:
    kustomization = _load(CONTAINER / "kustomization.yaml")
    resources = {CONTAINER / name for name in kustomization["resources"]}
    assert resources == set(MANIFESTS)
    (generated,) = kustomization["configMapGenerator"]
    assert all((CONTAINER / name).is_file() for name in generated["files"])
    volumes = _kind("Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "config", "configMap": {"name": generated["name"]}} in volumes


def test_one_version_everywhere() -> None:
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    (version,) = re.findall(r"^ARG TF_SERVING_VERSION=(.+)$", dockerfile, re.MULTILINE)
    tag = f"keras-chrome-serving:{version}"
    (image,) = _load(CONTAINER / "kustomization.yaml")["images"]
    assert _of_compose("server").image == tag
    assert _of_kubernetes("serving").image == tag
    assert f"{image['name']}:{image['newTag']}" == tag


@pytest.fixture
def kustomize(find_program, tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Renders a folder of a copy of the container's, beside which `overlay` uses TLS."""
    kubectl = find_program("kubectl")
    shutil.copytree(CONTAINER, tmp_path / "container")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        "resources: [../container]\ncomponents: [../container/kubernetes/tls]\n"
    )

    def render(folder: str) -> list[dict[str, Any]]:
        command = [kubectl, "kustomize", str(tmp_path / folder)]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        return list(yaml.safe_load_all(result.stdout))

    return render


@pytest.mark.parametrize("folder", ["container", "overlay"])
def test_kustomize_renders_what_fits_kubernetes_schema(folder: str, kustomize) -> None:
    rendered = kustomize(folder)
    for manifest in rendered:
        kubernetes_validate.validate(manifest, KUBERNETES_VERSIONS[-1], strict=True)
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"]
    kinds = {manifest["kind"]: manifest for manifest in rendered}
    config = kinds["ConfigMap"]
    assert config["data"].keys() == {"batching.config", "monitoring.config"}
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == "config"]
    assert volume["configMap"]["name"] == config["metadata"]["name"] != "serving-config"


def test_with_tls_clients_have_no_way_around_it(kustomize) -> None:
    kinds = {manifest["kind"]: manifest for manifest in kustomize("overlay")}
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (flag,) = [a for a in container["args"] if a.startswith("--ssl_config_file=")]
    (mount,) = [m for m in container["volumeMounts"] if m["name"] == "tls"]
    assert flag == f"--ssl_config_file={mount['mountPath']}/ssl.config"
    assert mount["readOnly"] is True
    clients, prometheus = kinds["NetworkPolicy"]["spec"]["ingress"]
    assert clients["ports"] == [{"port": 8500}]
    assert prometheus["ports"] == [{"port": 8501}]


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
