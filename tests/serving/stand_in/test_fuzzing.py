"""Thousands of messages that make no sense: each is refused with the right code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
from asking import Asking, predict_request
from google.protobuf.message import DecodeError
from harness import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from serving.local import LocalServer
from serving.tensors import to_array

pytestmark = pytest.mark.serving
# What a message that can be read is answered. INTERNAL and UNKNOWN would be faults of ours, but for
# the words in which TensorFlow Serving refuses to run the initializer.
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}
NO_PREDICTION = "Expected prediction signature method_name"
VALID = predict_request("tiny", signal=np.ones((2, 8, 5))).SerializeToString()


@pytest.fixture(scope="module")
def asking(models_dir: Path) -> Iterator[Asking]:
    with LocalServer(models_dir) as server, Asking(server.target) as asking:
        yield asking
        # After all of it, somebody who makes sense is answered as ever.
        response = asking.predictions.Predict(predict_pb2.PredictRequest.FromString(VALID))
        assert to_array(response.outputs["probability"]).shape == (2,)


def send(asking: Asking, method: str, content: bytes) -> tuple[str, str]:
    """Name and words of the status that the bytes are answered with."""
    call = asking.channel.unary_unary(f"/tensorflow.serving.{method}")
    try:
        call(content, timeout=60)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def check(asking: Asking, content: bytes) -> None:
    status, text = send(asking, "PredictionService/Predict", content)
    try:
        predict_pb2.PredictRequest.FromString(content)
    except DecodeError:
        assert status == "INTERNAL"
    else:
        assert status in {"OK", *REFUSALS} or text.startswith(NO_PREDICTION)


numbers = st.integers(-(2**63), 2**63 - 1)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.integers(0, 40) | st.integers(-(2**31), 2**31 - 1),
        "tensor_content": st.binary(max_size=400),
        "float_val": st.lists(st.floats(width=32), max_size=5),
        "double_val": st.lists(st.floats(), max_size=5),
        "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
        "int64_val": st.lists(numbers, max_size=5),
        "string_val": st.lists(st.binary(max_size=9), max_size=5),
        "bool_val": st.lists(st.booleans(), max_size=5),
        "half_val": st.lists(st.integers(0, 2**31 - 1), max_size=5),
        "version_number": st.integers(-(2**31), 2**31 - 1),
    },
)
shapes = st.lists(st.sampled_from([0, 1, 2, 5, 8, 40, -1, 2**31, 2**62]) | numbers, max_size=5)


@st.composite
def anything(draw: Any) -> bytes:
    """A message that can be read, and asks for anything."""
    request = predict_pb2.PredictRequest()
    names = st.sampled_from(["tiny", "foreign", "", "../x"]) | st.text(max_size=20)
    if draw(st.booleans()) or draw(st.booleans()):
        request.model_spec.name = draw(names)
        signatures = ["", "predict", "saliency", "describe", "__saved_model_init_op", "none"]
        request.model_spec.signature_name = draw(st.sampled_from(signatures))
    if draw(st.integers(0, 3)) == 0:
        request.model_spec.version.value = draw(numbers)
    if draw(st.integers(0, 3)) == 0:
        request.model_spec.version_label = draw(st.text(max_size=9))
    for key in draw(st.lists(st.sampled_from(["signal", "query", "x", ""]), max_size=2)):
        for field, value in draw(tensors).items():
            target = request.inputs[key]
            if isinstance(value, list):
                getattr(target, field).extend(value)
            else:
                setattr(target, field, value)
        for size in draw(shapes):
            request.inputs[key].tensor_shape.dim.add(size=size)
        request.inputs[key].tensor_shape.unknown_rank = draw(st.integers(0, 9)) == 0
    outputs = st.sampled_from(["probability", "alpha", "none", ""])
    request.output_filter.extend(draw(st.lists(outputs, max_size=2)))
    return request.SerializeToString()


KINDS = {"any bytes": st.binary(max_size=300), "damaged": damaged(VALID), "requests": anything()}
NUM_MESSAGES = [
    *((kind, 200) for kind in KINDS),
    *(pytest.param(kind, 3400, marks=pytest.mark.slow) for kind in KINDS),
]


@pytest.mark.parametrize(("kind", "num_messages"), NUM_MESSAGES)
def test_every_message_is_answered_with_the_right_code(
    asking: Asking, kind: str, num_messages: int
) -> None:
    @settings(
        max_examples=num_messages,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(KINDS[kind])
    def ask(content: bytes) -> None:
        check(asking, content)

    ask()


@pytest.mark.parametrize(
    "method",
    [
        "PredictionService/GetModelMetadata",
        "ModelService/GetModelStatus",
        "ModelService/HandleReloadConfigRequest",
    ],
)
def test_other_methods_refuse_what_cannot_be_read(asking: Asking, method: str) -> None:
    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(st.binary(max_size=100))
    def ask(content: bytes) -> None:
        assert send(asking, method, content)[0] in {"OK", "INTERNAL", "UNKNOWN", *REFUSALS}

    ask()


BODY = json.dumps({"signature_name": "predict", "instances": np.ones((2, 8, 5)).tolist()})
NAMED = json.dumps({"inputs": {"signal": np.ones((1, 8, 5)).tolist()}})
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=9,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(["predict", "saliency", "describe", "none"]) | values,
        "inputs": values | st.fixed_dictionaries({"signal": values}),
        "instances": values | st.lists(st.fixed_dictionaries({"signal": values}), max_size=3),
    },
)


@pytest.mark.parametrize("num_messages", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_every_body_is_answered_in_json(models_dir: Path, num_messages: int) -> None:
    contents = damaged(BODY.encode()) | damaged(NAMED.encode()) | bodies.map(json.dumps)
    with LocalServer(models_dir, rest_port=0) as server, requests.Session() as session:
        url = f"{server.rest_url}/v1/models/tiny:predict"

        @settings(
            max_examples=num_messages,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(contents)
        def ask(content: bytes | str) -> None:
            response = session.post(url, data=content, timeout=60)
            assert response.status_code in {200, 400, 404, 413, 429}, response.text
            assert isinstance(response.json(), dict)

        ask()


def test_methods_that_are_not_there_say_so(asking: Asking) -> None:
    for method in ("PredictionService/Classify", "PredictionService/Nothing", "NoService/Predict"):
        assert send(asking, method, VALID)[0] == "UNIMPLEMENTED"
