"""Questions to a running server, and to Prometheus beside it, over HTTP."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from serving.container.golden import TOLERANCE, answer_name
from serving.errors import VerificationError

_METRICS_PATH = "/monitoring/prometheus/metrics"
_TIMEOUT_S = 10.0


def check_rest(
    url: str, model: str, version: int, signal: np.ndarray, golden_path: str | Path
) -> float:
    """Ask REST for the probability, or expression, of genes and compare it with a golden table.

    Returns:
        The largest difference.

    Raises:
        VerificationError: If it answers otherwise or not at all.
    """
    import pandas as pd

    body = {"signature_name": "predict", "instances": signal.tolist()}
    path = f"/v1/models/{model}/versions/{version}:predict"
    answer = _get_json(f"{url}{path}", json.dumps(body).encode())
    golden = pd.read_csv(golden_path)
    expected = golden[answer_name(map(str, golden))].to_numpy()
    received = np.array(answer.get("predictions", []), np.float64)
    if received.shape != expected.shape or not np.allclose(
        received, expected, TOLERANCE, TOLERANCE
    ):
        raise VerificationError(
            f"Expected the answers {expected[:3]} ... Received from REST: {received[:3]} ..."
        )
    return float(np.abs(received - expected).max())


def check_metrics(url: str, model: str) -> int:
    """Read the server's metrics.

    Returns:
        How many requests for the model were answered.

    Raises:
        VerificationError: If they do not tell of a request.
    """
    text = _get(f"{url}{_METRICS_PATH}").decode()
    start = ":tensorflow:serving:request_count{"
    for line in text.splitlines():
        if line.startswith(start) and f'model_name="{model}"' in line and 'status="OK"' in line:
            return int(float(line.rpartition(" ")[2]))
    raise VerificationError(
        f"Expected {start}model_name={model}, status=OK}}. Received: {text.count(chr(10))} lines "
        f"of metrics without it, from {url}{_METRICS_PATH}"
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
