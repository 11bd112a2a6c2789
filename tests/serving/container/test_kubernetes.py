"""Kubernetes: are the manifests what they should be, and does what kustomize makes of them hold?

Kubernetes' own schemas, offline, judge the form, and kubectl renders. The pure checks read the
files; what only a rendered whole can show skips without kubectl.
"""

import copy
import functools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from serving.messages import MonitoringConfig, read_text_proto

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
KUBERNETES = CONTAINER / "kubernetes"
KUSTOMIZATIONS = sorted(CONTAINER.rglob("kustomization.yaml"))
MANIFESTS = sorted(set(KUBERNETES.rglob("*.yaml")) - set(KUSTOMIZATIONS))
# The oldest that a vendor still sells support for, and the newest that the schemas are there for.
VERSIONS = ("1.29", "1.37")
# Kinds of the Prometheus Operator, for which Kubernetes has no schema.
OPERATOR = "monitoring.coreos.com/v1"
# What README.md has people apply: a folder, or components on top of the base.
FOLDERS = (".", "kubernetes/base", "kubernetes/one-pod")
VARIANTS = {
    **{folder: (folder, ()) for folder in FOLDERS},
    "image": ("kubernetes/base", ("models-image",)),
    "bucket": ("kubernetes/base", ("models-bucket",)),
    "tls": (".", ("tls",)),
    "alerts": (".", ("alerts",)),
    "all at once": ("kubernetes/one-pod", ("models-bucket", "tls", "alerts")),
}
Manifest = dict[str, Any]


def _load(path: Path) -> Manifest:
    return yaml.safe_load(path.read_text())


def _kind(name: str) -> Manifest:
    (found,) = [m for m in map(_load, MANIFESTS) if m["kind"] == name]
    return found


def _pod(deployment: Manifest) -> Manifest:
    return deployment["spec"]["template"]["spec"]


def _server(deployment: Manifest) -> Manifest:
    (container,) = _pod(deployment)["containers"]
    return container


# === The files ===


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "path", [p for p in MANIFESTS if _load(p)["apiVersion"] != OPERATOR], ids=lambda p: p.stem
)
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
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda p: p.parent.name)
def test_what_a_kustomization_names_is_there(path: Path) -> None:
    kustomization = _load(path)
    named = [*kustomization.get("resources", ()), *kustomization.get("components", ())]
    assert all((path.parent / name).exists() for name in named)
    for generated in kustomization.get("configMapGenerator", ()):
        assert all((path.parent / name).is_file() for name in generated["files"])


def test_every_manifest_is_one_of_a_kustomization() -> None:
    named = {
        path.parent / name for path in KUSTOMIZATIONS for name in _load(path).get("resources", ())
    }
    assert set(MANIFESTS) <= named


def test_readme_names_every_folder() -> None:
    readme = (CONTAINER / "README.md").read_text()
    for path in set(KUSTOMIZATIONS) - {CONTAINER / "kustomization.yaml"}:
        assert f"| `{path.parent.name}` |" in readme


def test_the_pod_gets_no_token() -> None:
    account = _kind("ServiceAccount")
    pod = _pod(_kind("Deployment"))
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False


def test_all_manifests_speak_of_the_same_pods() -> None:
    deployment = _kind("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert _kind("Service")["spec"]["selector"] == labels
    assert _kind("PodMonitor")["spec"]["selector"]["matchLabels"] == labels
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
    deployment = _kind("Deployment")
    command, seconds = _server(deployment)["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert int(seconds) < _pod(deployment)["terminationGracePeriodSeconds"]


def test_the_ports_are_those_that_the_server_is_told() -> None:
    ports = {p["name"]: p["containerPort"] for p in _server(_kind("Deployment"))["ports"]}
    entrypoint = (CONTAINER / "entrypoint.sh").read_text()
    assert f"--port={ports['grpc']}\n" in entrypoint
    assert f"--rest_api_port={ports['rest']}\n" in entrypoint
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    (exposed,) = re.findall(r"^EXPOSE (.+)$", dockerfile, re.MULTILINE)
    assert exposed.split() == [str(port) for port in ports.values()]
    assert {p["targetPort"] for p in _kind("Service")["spec"]["ports"]} == ports.keys()
    clients, prometheus = _kind("NetworkPolicy")["spec"]["ingress"]
    assert clients["ports"] == [{"port": port} for port in ports.values()]
    assert prometheus["ports"] == [{"port": ports["rest"]}]


def test_the_autoscaler_has_what_it_reckons_with() -> None:
    (metric,) = _kind("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["resource"]["target"]["type"] == "Utilization"
    # A share of what is asked for; where nothing is, there is no share.
    assert _server(_kind("Deployment"))["resources"]["requests"][metric["resource"]["name"]]


def test_the_network_policy_lets_nothing_out() -> None:
    policy = _kind("NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["egress"] == []
    # A rule without `from` would let everybody in.
    assert all(rule["from"] for rule in policy["ingress"])


def test_the_operator_gets_the_rules_that_prometheus_gets() -> None:
    groups = _load(CONTAINER / "alerts.yml")["groups"]
    assert _kind("PrometheusRule")["spec"] == {"groups": groups}


def test_metrics_are_read_where_the_server_has_them() -> None:
    path = read_text_proto(CONTAINER / "monitoring.config", MonitoringConfig()).prometheus_config
    (endpoint,) = _kind("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] == path.path
    assert endpoint["port"] in {port["name"] for port in _server(_kind("Deployment"))["ports"]}
    # The rules ask for the job by the name that it has in prometheus.yml.
    (relabelled,) = endpoint["relabelings"]
    (job,) = _load(CONTAINER / "prometheus.yml")["scrape_configs"]
    assert relabelled == {"targetLabel": "job", "replacement": job["job_name"]}
    annotations = _kind("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == path.path
    assert annotations["prometheus.io/port"] in {
        str(port["containerPort"]) for port in _server(_kind("Deployment"))["ports"]
    }


def test_one_version_everywhere() -> None:
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    (version,) = re.findall(r"^ARG TF_SERVING_VERSION=(.+)$", dockerfile, re.MULTILINE)
    (image,) = _load(CONTAINER / "kustomization.yaml")["images"]
    assert f"{image['name']}:{image['newTag']}" == f"keras-chrome-serving:{version}"
    assert _server(_kind("Deployment"))["image"] == f"keras-chrome-serving:{version}"
    compose = (CONTAINER / "docker-compose.yml").read_text()
    assert f"{{SERVING_IMAGE:-keras-chrome-serving:{version}}}" in compose
    assert f"{{TF_SERVING_VERSION:-{version}}}" in compose


# === What kustomize makes of them ===


@pytest.fixture(scope="module")
def rendered(find_program, tmp_path_factory) -> Callable[[str], list[Manifest]]:
    """Renders a variant in a folder of its own beside a copy of the container's."""
    kubectl = find_program("kubectl")
    folder = tmp_path_factory.mktemp("kubernetes")
    shutil.copytree(CONTAINER, folder / "container")

    @functools.cache
    def render(name: str) -> str:
        resource, components = VARIANTS[name]
        own = folder / name.replace("/", "-").replace(".", "root")
        own.mkdir(exist_ok=True)
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../container/{resource}"],
            "components": [f"../container/kubernetes/{name}" for name in components],
        }
        (own / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        command = [kubectl, "kustomize", str(own)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return lambda name: list(yaml.safe_load_all(render(name)))


def _by_kind(manifests: list[Manifest]) -> dict[str, Manifest]:
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    assert len(by_kind) == len(manifests)
    return by_kind


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_rendered_fits_kubernetes_schema(name: str, rendered) -> None:
    for manifest in rendered(name):
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"]
        if manifest["apiVersion"] != OPERATOR:
            kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_pod_satisfies_the_restricted_security_standard(name: str, rendered) -> None:
    """Pod Security Standards, level restricted, field by field."""
    kinds = _by_kind(rendered(name))
    labels = kinds["Namespace"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = _pod(kinds["Deployment"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container.get("ports", ()))
    # `image` since Kubernetes 1.33: pod-security-admission/policy/check_restrictedVolumes.go.
    allowed = {"configMap", "emptyDir", "image", "persistentVolumeClaim", "secret"}
    assert all(volume.keys() - {"name"} <= allowed for volume in pod["volumes"])


@pytest.mark.parametrize("name", VARIANTS)
def test_every_container_has_its_version_and_its_limits(name: str, rendered) -> None:
    pod = _pod(_by_kind(rendered(name))["Deployment"])
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        assert re.search(r":\d+\.\d+\.\d+$", container["image"])
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (".", {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}}),
        ("kubernetes/base", None),
        ("kubernetes/one-pod", None),
        ("image", {"image": {"reference": "keras-chrome-models:1", "pullPolicy": "IfNotPresent"}}),
        ("bucket", {"emptyDir": {"sizeLimit": "5Gi"}}),
    ],
)
def test_the_server_reads_models_and_writes_none(
    name: str, source: Manifest | None, rendered
) -> None:
    deployment = _by_kind(rendered(name))["Deployment"]
    mounts = {m["mountPath"]: m for m in _server(deployment)["volumeMounts"]}
    volumes = {v.pop("name"): v for v in copy.deepcopy(_pod(deployment)["volumes"])}
    if source is None:  # They are in the image.
        assert "/models" not in mounts
    else:
        assert mounts["/models"]["readOnly"] is True
        assert volumes[mounts["/models"]["name"]] == source
    assert {m["name"] for m in mounts.values()} == volumes.keys()


def test_a_change_of_the_configuration_rolls_out(rendered) -> None:
    kinds = _by_kind(rendered("."))
    config = kinds["ConfigMap"]
    assert config["data"].keys() == {"batching.config", "monitoring.config"}
    (volume,) = [v for v in _pod(kinds["Deployment"])["volumes"] if v["name"] == "config"]
    # Its name ends in a hash of the contents.
    assert volume["configMap"]["name"] == config["metadata"]["name"] != "serving-config"


def test_a_bucket_is_reached_and_copied_by_the_names_of_the_readme(rendered) -> None:
    kinds = _by_kind(rendered("bucket"))
    (copying,) = _pod(kinds["Deployment"])["initContainers"]
    (source,) = [argument for argument in copying["args"] if argument.startswith("$(")]
    (secret,) = [origin["secretRef"]["name"] for origin in copying["envFrom"]]
    readme = (CONTAINER / "README.md").read_text()
    (created,) = re.findall(rf"create secret generic {secret} (.+?)```", readme, re.DOTALL)
    literals = dict(re.findall(r"--from-literal=(\w+)=(\S+)", created))
    remote = literals.pop(source.strip("$()")).partition(":")[0]
    assert literals
    assert all(name.startswith(f"RCLONE_CONFIG_{remote.upper()}_") for name in literals)
    (rule,) = kinds["NetworkPolicy"]["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == {53, 443}


def test_a_small_cluster_holds_it(rendered) -> None:
    kinds = _by_kind(rendered("kubernetes/one-pod"))
    assert "HorizontalPodAutoscaler" not in kinds
    assert "PersistentVolumeClaim" not in kinds
    assert kinds["Deployment"]["spec"]["replicas"] == 1
    # Of two CPUs the cluster's own pods take one; while versions change there are two pods.
    assert _server(kinds["Deployment"])["resources"]["requests"]["cpu"] == "250m"


@pytest.mark.parametrize("name", VARIANTS)
def test_probes_ask_what_they_can(name: str, rendered) -> None:
    container = _server(_by_kind(rendered(name))["Deployment"])
    probes = [container[probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    if not any(argument.startswith("--ssl_config_file=") for argument in container["args"]):
        # gRPC's own health service knows the whole server alone, by the empty name
        # (grpc/grpc, src/cpp/server/health/default_health_check_service.cc).
        assert [probe["grpc"] for probe in probes] == [{"port": 8500}] * 3
    else:
        # Kubernetes' gRPC probes speak no TLS.
        monitoring = read_text_proto(CONTAINER / "monitoring.config", MonitoringConfig())
        metrics = {"path": monitoring.prometheus_config.path, "port": "rest"}
        assert [probe.get("httpGet") for probe in probes] == [metrics, metrics, None]
        assert probes[-1]["tcpSocket"] == {"port": 8500}
        assert not any("grpc" in probe for probe in probes)
    assert all(probe["failureThreshold"] and probe["timeoutSeconds"] for probe in probes)


@pytest.mark.parametrize("name", ["tls", "all at once"])
def test_with_tls_clients_have_no_way_around_it(name: str, rendered) -> None:
    kinds = _by_kind(rendered(name))
    container = _server(kinds["Deployment"])
    (flag,) = [a for a in container["args"] if a.startswith("--ssl_config_file=")]
    (mount,) = [m for m in container["volumeMounts"] if m["name"] == "tls"]
    assert flag == f"--ssl_config_file={mount['mountPath']}/ssl.config"
    assert mount["readOnly"] is True
    clients, prometheus = kinds["NetworkPolicy"]["spec"]["ingress"]
    assert clients["ports"] == [{"port": 8500}]
    assert prometheus["ports"] == [{"port": 8501}]
