"""The REST interface, as clients of TensorFlow Serving know it."""

import gzip
import json
import re
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from asking import wait_until

from serving.client import Client
from serving.local import LocalServer
from serving.stand_in.servable import Servable

pytestmark = pytest.mark.serving
GENES = np.random.default_rng(0).poisson(3, (3, 8, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(models_dir: Path) -> dict[str, np.ndarray]:
    """What the model says of the genes, asked without a server."""
    servable = Servable("tiny", 12, models_dir / "tiny/12")
    return servable.predict("serving_default", {"signal": GENES})


def ask(server: LocalServer, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer; without a body it is a GET."""
    url = f"{server.rest_url}/v1/models/{path}"
    if body is None:
        response = requests.get(url, timeout=60)
    else:
        data = body if isinstance(body, bytes) else json.dumps(body)
        response = requests.post(url, data=data, timeout=60)
    return response.status_code, response.json()


@pytest.mark.parametrize("path", ["tiny", "tiny/versions/3", "tiny/labels/canary"])
def test_answers_by_column(server: LocalServer, expected: dict[str, np.ndarray], path: str) -> None:
    status, answer = ask(server, f"{path}:predict", {"inputs": {"signal": GENES.tolist()}})
    assert status == 200
    for key, value in expected.items():
        np.testing.assert_allclose(answer["outputs"][key], value, atol=1e-6)


def test_answers_by_row(server: LocalServer, expected: dict[str, np.ndarray]) -> None:
    rows = [{"signal": gene.tolist()} for gene in GENES]
    status, answer = ask(server, "tiny:predict", {"instances": rows})
    assert status == 200
    for number, row in enumerate(answer["predictions"]):
        assert row.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(row[key], value[number], atol=1e-6)


def test_a_single_input_and_output_may_go_without_names(
    server: LocalServer, expected: dict[str, np.ndarray]
) -> None:
    for body, key in (("inputs", "outputs"), ("instances", "predictions")):
        request = {"signature_name": "predict", body: GENES.tolist()}
        status, answer = ask(server, "tiny:predict", request)
        assert status == 200
        np.testing.assert_allclose(answer[key], expected["probability"], atol=1e-6)


def test_answers_text(server: LocalServer) -> None:
    request = {"signature_name": "describe", "inputs": {"query": [0]}}
    status, answer = ask(server, "tiny:predict", request)
    assert status == 200
    assert json.loads(answer["outputs"][0])["variant"] == "attentive_chrome"


def test_tells_status_and_metadata(server: LocalServer) -> None:
    status, answer = ask(server, "tiny")
    assert status == 200
    assert [v["version"] for v in answer["model_version_status"]] == ["12", "3"]
    assert {v["state"] for v in answer["model_version_status"]} == {"AVAILABLE"}
    status, answer = ask(server, "tiny/metadata")
    assert answer["model_spec"]["version"] == "12"
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["predict"]["inputs"]["signal"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("query", "answers"),
    [
        ("[NaN, Infinity, -Infinity]", 3),
        ("[16777215, -16777215, 1e38, 18446744073709551616]", 4),
        ("[1, 2]} and what else there is", 2),
        ('[1], "other": [2], "signature_name": "describe"', 1),
        ("[]", 0),
    ],
)
def test_takes_what_the_real_server_takes(server: LocalServer, query: str, answers: int) -> None:
    body = f'{{"signature_name": "describe", "inputs": {query}}}'.encode()
    status, answer = ask(server, "tiny:predict", body)
    assert (status, len(answer["outputs"])) == (200, answers)


def test_an_empty_signature_name_is_the_default(server: LocalServer) -> None:
    status, answer = ask(server, "tiny:predict", {"signature_name": "", "inputs": GENES.tolist()})
    assert status == 200
    assert "alpha" in answer["outputs"]


def test_takes_a_body_that_is_compressed(server: LocalServer) -> None:
    url = f"{server.rest_url}/v1/models/tiny:predict"
    body = json.dumps({"inputs": GENES.tolist()}).encode()
    headers = {"Content-Encoding": "gzip"}
    assert requests.post(url, gzip.compress(body), headers=headers, timeout=60).status_code == 200
    refused = requests.post(url, body, headers=headers, timeout=60)
    assert (refused.status_code, refused.json()) == (400, {"error": "Failed to uncompress body"})
    bomb = gzip.compress(bytes(100 * 2**20))
    assert requests.post(url, bomb, headers=headers, timeout=60).status_code == 429


def test_a_float_has_no_more_digits_than_tell_it_apart(server: LocalServer) -> None:
    url = f"{server.rest_url}/v1/models/tiny:predict"
    response = requests.post(url, json={"inputs": GENES.tolist()}, timeout=60)
    numbers = re.findall(r"\d+\.\d+", response.text)
    assert len(numbers) > 100
    assert max(len(number.replace(".", "").lstrip("0")) for number in numbers) <= 9


@pytest.mark.parametrize(("path", "status"), [("/v1/nosuch", 400), ("/nosuch", 404), ("/", 404)])
def test_other_paths_are_json_too(server: LocalServer, path: str, status: int) -> None:
    response = requests.get(f"{server.rest_url}{path}", timeout=60)
    assert response.status_code == status
    assert response.json() == {"error": f"Malformed request: GET {path}"}


def test_refuses_more_values_than_python_reads_at_once(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.stand_in.rest_json.MAX_VALUES", 140)
    body = {"signature_name": "predict", "inputs": GENES.tolist()}
    refused = "Expected at most 140 values. Received: more. Send fewer genes at once"
    assert ask(server, "tiny:predict", body) == (429, {"error": refused})
    monkeypatch.setattr("serving.stand_in.rest_json.MAX_VALUES", 155)
    assert ask(server, "tiny:predict", body)[0] == 200


def test_refuses_a_body_that_is_too_large(quick_models_dir: Path) -> None:
    with LocalServer(quick_models_dir, rest_port=0, max_message_bytes=2**20) as server:
        status, answer = ask(server, "tiny:predict", b" " * (2**20 + 1))
        assert (status, answer["error"]) == (429, "Received message larger than max (1048576)")
        # Also where its length is not told beforehand.
        url = f"{server.rest_url}/v1/models/tiny:predict"
        parts = (b"0" * 2**16 for _ in range(100))
        assert requests.post(url, data=parts, timeout=60).status_code == 429
        assert ask(server, "tiny")[0] == 200


def metrics(server: LocalServer) -> requests.Response:
    return requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=60)


def test_tells_prometheus_what_it_did(quick_models_dir: Path, tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    (tmp_path / "tiny").symlink_to(quick_models_dir / "tiny")
    with LocalServer(tmp_path, rest_port=0) as server:
        body = {"signature_name": "predict", "inputs": GENES.tolist()}
        threads = [
            threading.Thread(target=ask, args=(server, "tiny:predict", body)) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with Client(server.target, "tiny") as client:
            client.predict(GENES)
        ask(server, "tiny:predict", b"{")
        ask(server, "tiny:predict", {"signature_name": "predict", "inputs": {"signal": 1}})
        ask(server, "made-up:predict", body)
        with socket.create_connection(urlsplit(server.rest_url).netloc.split(":")) as gone:
            gone.sendall(
                b"POST /v1/models/tiny:predict HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 9\r\n\r\n{"
            )
        wait_until(lambda: 'status="CANCELLED"' in metrics(server).text)
        response = metrics(server)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(response.text))
    samples = {
        (sample.name.removeprefix(":tensorflow:serving:"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["request_count", "tiny", "INVALID_ARGUMENT"] == 2
    assert samples["request_count", "tiny", "CANCELLED"] == 1
    # What strangers ask for does not become a label.
    assert samples["request_count", "", "NOT_FOUND"] == 1
    assert ("request_count", "tiny", "INTERNAL") not in samples
    # Only what succeeds has a latency. The client asked what the model is, too.
    assert samples["request_latency_count", "predict", "REST", "tiny"] == 5
    assert samples["request_latency_count", "Predict", "GRPC", "tiny"] == 2
    assert samples["request_count", "tiny", "OK"] == 7
    assert samples["runtime_latency_count", "Predict", "tiny", "TF1"] == 7
    assert samples["batching_session:queuing_latency_count", ""] == 7
    assert samples[("batching_session:processed_batch_size_sum",)] == 6 * len(GENES) + 1
    loads = ":tensorflow:cc:saved_model:load_attempt_count"
    assert samples[loads, "/models/tiny/12", "success"] == 1
    assert {family.name.split(":")[1] for family in families} == {"tensorflow"}


def test_counts_versions_that_cannot_be_loaded(quick_models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/12").symlink_to(quick_models_dir / "tiny/12")
    with LocalServer(tmp_path, rest_port=0, poll_wait_s=0.02) as server:
        (tmp_path / "tiny/13").mkdir()
        failed = 'load_attempt_count{model_path="/models/tiny/13",status="fail"} 1.0'
        wait_until(lambda: failed in metrics(server).text)
        # That it was loaded is not forgotten when it goes.
        (tmp_path / "tiny/13").rmdir()
        (tmp_path / "tiny/12").rename(tmp_path / "tiny/14")
        wait_until(lambda: server.models == {"tiny": [14]})
        loaded = 'load_attempt_count{model_path="/models/tiny/12",status="success"} 1.0'
        assert loaded in metrics(server).text
