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
        response = requests.get(url, timeout=20)
    else:
        data = body if isinstance(body, bytes) else json.dumps(body)
        response = requests.post(url, data=data, timeout=20)
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
    assert ask(server, "tiny/labels/stable")[1]["model_version_status"][0]["version"] == "3"
    status, answer = ask(server, "tiny/metadata")
    assert answer["model_spec"]["version"] == "12"
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["predict"]["inputs"]["signal"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("none:predict", {"inputs": [1]}, 404, "Servable not found for request: Latest(none)"),
        ("tiny/versions/4:predict", {"inputs": [1]}, 404, "Specific(tiny, 4)"),
        ("tiny/labels/x:predict", {"inputs": [1]}, 400, "Unrecognized servable version label: x"),
        (f"tiny/versions/{2**70}:predict", {"inputs": [1]}, 400, "Failed to convert version"),
        # === JSON ===
        ("tiny:predict", b"", 400, "JSON Parse error: The document is empty"),
        ("tiny:predict", b" ", 400, "JSON Parse error: The document is empty"),
        ("tiny:predict", b"{", 400, "JSON Parse error: Missing a name for object member."),
        ("tiny:predict", b'{"inputs" 1}', 400, "Missing a colon after a name of object member."),
        ("tiny:predict", b'{"inputs": x}', 400, "JSON Parse error: Invalid value. at offset: 11"),
        ("tiny:predict", b"[" * 100_000, 400, "JSON Parse error"),
        ("tiny:predict", b"\xff\xfe", 400, "JSON Parse error"),
        ("tiny:predict", b"1", 400, "JSON Value: 1 Is not object"),
        ("tiny:predict", b"null", 400, "JSON Value: null Is not object"),
        ("tiny:predict", b'{"inputs": 1e400}', 400, "Number too big to be stored in double."),
        (
            "tiny:predict",
            b'{"inputs": 1' + 400 * b"0" + b"}",
            400,
            "Number too big to be stored in double.",
        ),
        # === Keys ===
        ("tiny:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        (
            "tiny:predict",
            {"inputs": [1], "instances": [1]},
            400,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        ("tiny:predict", {"instances": []}, 400, "No values in 'instances' array"),
        ("tiny:predict", {"instances": 5}, 400, "Excepting 'instances' to be an list/array"),
        (
            "tiny:predict",
            {"instances": [{"signal": [1]}, {"x": [1]}]},
            400,
            "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: x",
        ),
        (
            "tiny:predict",
            {"instances": [{"signal": [1]}, {}]},
            400,
            "Failed to process element: 1 of 'instances' list. JSON object: {} keys must be equal "
            "to: signal",
        ),
        (
            "tiny:predict",
            {"instances": [{"signal": [1]}, [1]]},
            400,
            "Expecting object but got list at item 1 of input list",
        ),
        (
            "tiny:predict",
            {"instances": [[1], {"signal": [1]}]},
            400,
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            "tiny:predict",
            {"instances": [[1, 2], [1]]},
            400,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
            "tensor size: 2 but got: 1",
        ),
        (
            "tiny:predict",
            {"instances": [[[1, 2]], [[1], [2]]]},
            400,
            "INVALID_ARGUMENT: Expecting shape [1,2] but got: [2,1]",
        ),
        (
            "tiny:predict",
            {"inputs": {"x": [1]}},
            400,
            "Missing named input: signal in 'inputs' object.",
        ),
        (
            "tiny:predict",
            {"inputs": [1], "signature_name": "x"},
            400,
            'Serving signature name: "x" not found in signature def',
        ),
        (
            "tiny:predict",
            {"inputs": 1, "signature_name": 5},
            400,
            " not formatted correctly. 'signature_name' key must be a string value.",
        ),
        # === Numbers ===
        (
            "tiny:predict",
            {"inputs": [[1], [1, 2]]},
            400,
            "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
        ),
        (
            "tiny:predict",
            {"inputs": [1, [2]]},
            400,
            "Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            "tiny:predict",
            {"inputs": [[1], 2]},
            400,
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            "tiny:predict",
            {"inputs": ["1.5"]},
            400,
            'JSON Value: "1.5" Type: String is not of expected type: float',
        ),
        (
            "tiny:predict",
            {"inputs": [1, None]},
            400,
            "JSON Value: null Type: Null is not of expected type: float",
        ),
        (
            "tiny:predict",
            {"inputs": [0.5, True]},
            400,
            "JSON Value: true Type: True is not of expected type: float",
        ),
        (
            "tiny:predict",
            {"inputs": [False]},
            400,
            "JSON Value: false Type: False is not of expected type: float",
        ),
        (
            "tiny:predict",
            {"inputs": [{"b64": "AAAA"}]},
            400,
            " Type: Object is not of expected type: float",
        ),
        (
            "tiny:predict",
            {"inputs": [16777216, 0.5]},
            400,
            "Cannot convert JSON value: 16777216 to float without loss of precision.",
        ),
        (
            "tiny:predict",
            {"inputs": [1e39]},
            400,
            "Cannot convert JSON value: 1e+39 to float without loss of precision.",
        ),
        # === The graph ===
        ("tiny:predict", {"inputs": {"signal": [1]}}, 400, "not compatible with expected shape"),
        ("tiny:predict", {"inputs": {"signal": 1}}, 400, "at least one dimension"),
        # === Paths ===
        ("tiny", {}, 400, "Malformed request: POST /v1/models/tiny"),
        ("tiny:classify", {}, 400, "Malformed request: POST /v1/models/tiny:classify"),
        ("tiny/versions/x:predict", {}, 400, "Malformed request: POST "),
        ("..%2Ftiny:predict", {"inputs": [1]}, 400, "Malformed request: POST "),
    ],
)
def test_refuses(server: LocalServer, path: str, body: Any, status: int, error: str) -> None:
    url = f"{server.rest_url}/v1/models/{path}"
    data = body if isinstance(body, bytes) else json.dumps(body)
    response = requests.post(url, data=data, timeout=20)
    assert response.status_code == status
    assert error in response.json()["error"]


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
    assert requests.post(url, gzip.compress(body), headers=headers, timeout=20).status_code == 200
    refused = requests.post(url, body, headers=headers, timeout=20)
    assert (refused.status_code, refused.json()) == (400, {"error": "Failed to uncompress body"})
    bomb = gzip.compress(bytes(100 * 2**20))
    assert requests.post(url, bomb, headers=headers, timeout=20).status_code == 429


def test_a_float_has_no_more_digits_than_tell_it_apart(server: LocalServer) -> None:
    url = f"{server.rest_url}/v1/models/tiny:predict"
    response = requests.post(url, json={"inputs": GENES.tolist()}, timeout=20)
    numbers = re.findall(r"\d+\.\d+", response.text)
    assert len(numbers) > 100
    assert max(len(number.replace(".", "").lstrip("0")) for number in numbers) <= 9


@pytest.mark.parametrize(("path", "status"), [("/v1/nosuch", 400), ("/nosuch", 404), ("/", 404)])
def test_other_paths_are_json_too(server: LocalServer, path: str, status: int) -> None:
    response = requests.get(f"{server.rest_url}{path}", timeout=20)
    assert response.status_code == status
    assert response.json() == {"error": f"Malformed request: GET {path}"}


def test_refuses_a_body_that_is_too_large(quick_models_dir: Path) -> None:
    with LocalServer(quick_models_dir, rest_port=0, max_message_bytes=2**20) as server:
        status, answer = ask(server, "tiny:predict", b" " * (2**20 + 1))
        assert (status, answer["error"]) == (429, "Received message larger than max (1048576)")
        # Also where its length is not told beforehand.
        url = f"{server.rest_url}/v1/models/tiny:predict"
        parts = (b"0" * 2**16 for _ in range(100))
        assert requests.post(url, data=parts, timeout=20).status_code == 429
        assert ask(server, "tiny")[0] == 200


def metrics(server: LocalServer) -> requests.Response:
    return requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=20)


def test_tells_prometheus_what_it_did(quick_models_dir: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with LocalServer(quick_models_dir, rest_port=0) as server:
        body = {"signature_name": "predict", "inputs": GENES.tolist()}
        threads = [
            threading.Thread(target=ask, args=(server, "tiny:predict", body)) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ask(server, "tiny:predict", b"{")
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
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples[":tensorflow:serving:request_count", "OK", "tiny"] == 5
    assert samples[":tensorflow:serving:request_count", "INVALID_ARGUMENT", "tiny"] == 1
    assert samples[":tensorflow:serving:request_count", "CANCELLED", "tiny"] == 1
    # What strangers ask for does not become a label.
    assert samples[":tensorflow:serving:request_count", "", "NOT_FOUND"] == 1
    assert samples[":tensorflow:serving:request_latency_count", "REST", "predict", "tiny"] == 5
    assert samples[(":tensorflow:serving:batching_session:batch_size_sum",)] == 15
    assert (
        samples[":tensorflow:cc:saved_model:load_attempt_count", "/models/tiny/12", "success"] == 1
    )
    assert {family.name.split(":")[1] for family in families} == {"tensorflow"}
