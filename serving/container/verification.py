"""What `verify.sh` asks of a running server, a step each.

    python -m serving.container.verification STEP ...

Every step prints one line and ends with 0, or says on standard error what was expected and received
and ends with 2. None imports more than it needs: verify.sh calls many.
"""

import argparse
import json
import random
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SIDECAR_FILE = Path("assets") / "keras_chrome.json"
# The same graph in the same arithmetic, on another machine's processor; the CSV has 6 digits.
TOLERANCE = 1e-5
METRICS_PATH = "/monitoring/prometheus/metrics"
_TIMEOUT_S = 10.0


class VerificationError(ValueError):
    """A server does not do what it should."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, and that the system gives to no connection meanwhile."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            # Systems give connections ports from 32768 on.
            port = random.randrange(20_000, 32_000)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports


def read_models(models_dir: str | Path) -> dict[str, list[int]]:
    """The models that `models.config` names and, of each, the versions in its folder.

    Raises:
        InputError: If there is no such file, it names no model, or a model has no version.
    """
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from serving.messages import read_text_proto

    path = Path(models_dir) / "models.config"
    config = read_text_proto(path, ModelServerConfig())
    models = {
        entry.name: sorted(
            int(file.parent.name)
            for file in (path.parent / entry.name).glob("*/saved_model.pb")
            if file.parent.name.isdecimal()
        )
        for entry in config.model_config_list.config
    }
    if not models:
        raise InputError(f"Expected a model. Received: {path}, which names none")
    for name, versions in models.items():
        if not versions:
            raise InputError(
                f"Expected {name}/VERSION/saved_model.pb beside {path}, which names {name}. "
                "Received: none"
            )
    return models


def make_signal(model_dir: str | Path, num_genes: int = 16) -> "np.ndarray":
    """Made-up genes for an exported model, the same each time: float32 `(genes, bins, marks)`.

    Args:
        model_dir: The SavedModel, `MODELS/NAME/VERSION`.
        num_genes: How many.
    """
    import numpy as np

    details = _read_sidecar(model_dir)
    # Counts as a ChIP-seq experiment gives: overdispersed, many zeros.
    shape = (num_genes, details["num_bins"], len(details["marks"]))
    return np.random.default_rng(0).negative_binomial(1, 0.2, shape).astype(np.float32)


def write_genes(path: str | Path, signal: "np.ndarray") -> None:
    """Write genes as CSV in the published layout, which `serving.client` reads."""
    import numpy as np
    import pandas as pd

    num_genes, num_bins, num_marks = signal.shape
    names = pd.DataFrame(
        {
            "gene_id": np.repeat(_gene_ids(num_genes), num_bins),
            "bin": np.tile(np.arange(1, num_bins + 1), num_genes),
        }
    )
    values = pd.DataFrame(signal.reshape(-1, num_marks).astype(int))
    pd.concat([names, values], axis=1).to_csv(path, header=False, index=False)


def predict_in_process(model_dir: str | Path, signal: "np.ndarray") -> "pd.DataFrame":
    """What the SavedModel says by itself, without any server.

    Returns:
        Columns `gene_id`, `probability` and, where the model has it, `beta_MARK` for each mark.
    """
    import pandas as pd
    import tensorflow as tf

    marks = _read_sidecar(model_dir)["marks"]
    model = tf.saved_model.load(str(model_dir))
    outputs = model.signatures["serving_default"](signal=tf.constant(signal))
    table = pd.DataFrame(
        {"gene_id": _gene_ids(len(signal)), "probability": outputs["probability"].numpy()}
    )
    if "beta" in outputs:
        beta = outputs["beta"].numpy()
        table = table.assign(**{f"beta_{mark}": beta[:, i] for i, mark in enumerate(marks)})
    return table


def compare_tables(path: str | Path, golden_path: str | Path) -> float:
    """Compare a table of predictions, as `serving.client` writes it, with a golden one.

    Args:
        path: The table; it may have more columns.
        golden_path: What it should hold.

    Returns:
        The largest difference of two numbers.

    Raises:
        VerificationError: If it is of other genes, lacks a column, or differs by more than
            `TOLERANCE`.
    """
    import numpy as np
    import pandas as pd

    table, golden = pd.read_csv(path), pd.read_csv(golden_path)
    known, received = (list(map(str, frame.columns)) for frame in (golden, table))
    if missing := [name for name in known if name not in received]:
        raise VerificationError(
            f"Expected the columns {', '.join(known)}. Received: {path}, without "
            f"{', '.join(missing)}"
        )
    if list(table["gene_id"]) != list(golden["gene_id"]):
        raise VerificationError(
            f"Expected {len(golden)} genes from {golden['gene_id'][0]}. Received: {path}: "
            f"{len(table)} genes, or in another order"
        )
    largest = 0.0
    for column in known[1:]:
        difference = np.abs(table[column].to_numpy(float) - golden[column].to_numpy(float))
        # Also what is not a number is wrong.
        if (wrong := ~(difference <= TOLERANCE)).any():
            row = int(np.argmax(wrong))
            raise VerificationError(
                f"Expected {column}={golden[column][row]} of gene {golden['gene_id'][row]}. "
                f"Received: {table[column][row]}"
            )
        largest = max(largest, float(difference.max()))
    return largest


def check_rest(
    url: str, model: str, version: int, signal: "np.ndarray", golden_path: str | Path
) -> float:
    """Ask REST for the probability of genes and compare it with a golden table.

    Returns:
        The largest difference.

    Raises:
        VerificationError: If it answers otherwise or not at all.
    """
    import numpy as np
    import pandas as pd

    body = {"signature_name": "predict", "instances": signal.tolist()}
    path = f"/v1/models/{model}/versions/{version}:predict"
    answer = _get_json(f"{url}{path}", json.dumps(body).encode())
    expected = pd.read_csv(golden_path)["probability"].to_numpy()
    received = np.array(answer.get("predictions", []), np.float64)
    if received.shape != expected.shape or not np.allclose(received, expected, 0, TOLERANCE):
        raise VerificationError(
            f"Expected the probabilities {expected[:3]} ... Received from REST: {received[:3]} ..."
        )
    return float(np.abs(received - expected).max())


def check_metrics(url: str, model: str) -> int:
    """Read the server's metrics.

    Returns:
        How many requests for the model were answered.

    Raises:
        VerificationError: If they do not tell of a request.
    """
    text = _get(f"{url}{METRICS_PATH}").decode()
    start = ":tensorflow:serving:request_count{"
    for line in text.splitlines():
        if line.startswith(start) and f'model_name="{model}"' in line and 'status="OK"' in line:
            return int(float(line.rpartition(" ")[2]))
    raise VerificationError(
        f"Expected {start}model_name={model}, status=OK}}. Received: {text.count(chr(10))} lines "
        f"of metrics without it, from {url}{METRICS_PATH}"
    )


def check_prometheus(url: str, timeout_s: float) -> int:
    """Wait until Prometheus has read the server's metrics.

    Returns:
        How many alert rules it holds.

    Raises:
        VerificationError: If it has not in time, or holds no rules.
    """

    def is_read() -> bool:
        targets = _get_json(f"{url}/api/v1/targets")["data"]["activeTargets"]
        return any(
            target["labels"]["job"] == "tensorflow-serving" and target["health"] == "up"
            for target in targets
        )

    _wait_until(is_read, timeout_s, "Expected Prometheus to read the server's metrics")
    groups = _get_json(f"{url}/api/v1/rules?type=alert")["data"]["groups"]
    num_rules = sum(len(group["rules"]) for group in groups)
    if not num_rules:
        raise VerificationError("Expected alert rules in Prometheus. Received: none")
    return num_rules


def wait_available(url: str, model: str, version: int, timeout_s: float) -> None:
    """Wait until REST calls a version available.

    Raises:
        VerificationError: If it does not in time.
    """

    def is_available() -> bool:
        states = _get_json(f"{url}/v1/models/{model}")["model_version_status"]
        return any(
            int(state["version"]) == version and state["state"] == "AVAILABLE" for state in states
        )

    _wait_until(is_available, timeout_s, f"Expected {model} {version} to be AVAILABLE")


def add_version(models_dir: str | Path, model: str) -> int:
    """Put a copy of a model's highest version beside it, one higher.

    The copy appears in one step: a server that looks meanwhile sees all of it or nothing. It is
    loaded because `models.config`, as `python -m export` writes it, asks for every version.

    Returns:
        The new version.
    """
    models_dir = Path(models_dir)
    highest = read_models(models_dir)[model][-1]
    hidden = models_dir / f".{model}-{uuid.uuid4().hex}"
    shutil.copytree(models_dir / model / str(highest), hidden)
    hidden.rename(models_dir / model / str(highest + 1))
    return highest + 1


def _gene_ids(num_genes: int) -> list[str]:
    return [f"GENE{gene:02}" for gene in range(num_genes)]


def _read_sidecar(model_dir: str | Path) -> dict[str, Any]:
    path = Path(model_dir) / SIDECAR_FILE
    try:
        details: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"Expected a model that python -m export wrote. Received: {path} ({error})"
        ) from error
    return details


def _get(url: str, body: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(url, body, timeout=_TIMEOUT_S) as response:
            content: bytes = response.read()
    except urllib.error.HTTPError as error:
        raise VerificationError(
            f"Expected an answer. Received: {error.code} from {url}: "
            f"{' '.join(error.read().decode(errors='replace').split())[:300]}"
        ) from error
    except OSError as error:
        raise VerificationError(f"Expected an answer. Received: {error} from {url}") from error
    return content


def _get_json(url: str, body: bytes | None = None) -> Any:
    content = _get(url, body)
    try:
        return json.loads(content)
    except ValueError as error:
        raise VerificationError(f"Expected JSON. Received: {content[:100]!r} from {url}") from error


def _wait_until(is_so: Callable[[], bool], timeout_s: float, expected: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    reason = "not yet"
    while True:
        try:
            if is_so():
                return
        except VerificationError as error:
            reason = str(error)
        if time.monotonic() > deadline_s:
            raise VerificationError(f"{expected} in {timeout_s:g} s. Received: {reason}")
        time.sleep(0.5)


def _step_ports(args: argparse.Namespace) -> str:
    return " ".join(map(str, free_ports(args.count)))


def _step_models(args: argparse.Namespace) -> str:
    models = read_models(args.models)
    name = next(iter(models))
    # What verify.sh goes on with: the first model and its highest version.
    return f"{name} {models[name][-1]}"


def _step_golden(args: argparse.Namespace) -> str:
    from serving.quiet import import_tensorflow_quietly

    import_tensorflow_quietly()
    signal = make_signal(args.model_dir)
    write_genes(args.genes, signal)
    table = predict_in_process(args.model_dir, signal)
    table.to_csv(args.golden, index=False)
    probability = table["probability"]
    return f"{len(table)} genes, probability {probability.min():.3f} to {probability.max():.3f}"


def _step_compare(args: argparse.Namespace) -> str:
    difference = compare_tables(args.table, args.golden)
    return f"the same predictions as the SavedModel by itself, within {difference:.1g}"


def _step_rest(args: argparse.Namespace) -> str:
    signal = make_signal(args.model_dir)
    difference = check_rest(args.url, args.model, args.version, signal, args.golden)
    return f"the same predictions as the SavedModel by itself, within {difference:.1g}"


def _step_metrics(args: argparse.Namespace) -> str:
    return f"{check_metrics(args.url, args.model)} requests for {args.model} counted"


def _step_prometheus(args: argparse.Namespace) -> str:
    return (
        f"Prometheus reads the server, and has {check_prometheus(args.url, args.timeout_s)} rules"
    )


def _step_wait(args: argparse.Namespace) -> str:
    wait_available(args.url, args.model, args.version, args.timeout_s)
    return f"{args.model} {args.version} is AVAILABLE"


def _step_add_version(args: argparse.Namespace) -> str:
    return str(add_version(args.models, args.model))


_STEPS: dict[str, tuple[Callable[[argparse.Namespace], str], tuple[str, ...]]] = {
    "ports": (_step_ports, ("count",)),
    "models": (_step_models, ("models",)),
    "golden": (_step_golden, ("model_dir", "genes", "golden")),
    "compare": (_step_compare, ("table", "golden")),
    "rest": (_step_rest, ("url", "model", "version", "model_dir", "golden")),
    "metrics": (_step_metrics, ("url", "model")),
    "prometheus": (_step_prometheus, ("url", "timeout_s")),
    "wait": (_step_wait, ("url", "model", "version", "timeout_s")),
    "add-version": (_step_add_version, ("models", "model")),
}
_TYPES: dict[str, Callable[[str], Any]] = {
    "count": int,
    "version": int,
    "timeout_s": float,
}


def main(argv: list[str] | None = None) -> int:
    """Take one step."""
    parser = argparse.ArgumentParser(prog="python -m serving.container.verification")
    commands = parser.add_subparsers(required=True, metavar="STEP")
    for name, (step, options) in _STEPS.items():
        command = commands.add_parser(name)
        command.set_defaults(step=step)
        for option in options:
            flag = f"--{option.replace('_', '-')}"
            command.add_argument(flag, required=True, type=_TYPES.get(option, str))
    args = parser.parse_args(argv)
    try:
        print(args.step(args), flush=True)
    except (InputError, VerificationError, OSError) as error:
        print(f"python -m serving.container.verification: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
