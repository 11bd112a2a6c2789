"""With which codes and words a request is refused: those of TensorFlow Serving.

Each row names the file in which TensorFlow Serving, or TensorFlow below it, says so.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from asking import Asking
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from made_models import save_describing
from tensorflow_serving.apis import get_model_metadata_pb2 as metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2 as status_pb2
from tensorflow_serving.apis import model_management_pb2 as management_pb2
from tensorflow_serving.apis import predict_pb2

from serving.local import LocalServer

pytestmark = pytest.mark.serving
ONE = np.zeros((1, 3, 2), np.float32)
HERE = "/models/tiny"
CONFIG = """
model_config_list {
  config {
    name: "tiny" base_path: "/models/tiny" model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 3 }
  }
  config { name: "pair" base_path: "/models/pair" model_platform: "tensorflow" }
}
"""


def save_pair(path: Path) -> None:
    """A model of two inputs, with outputs that no batch can have."""
    spec = tf.TensorSpec((None,), tf.float32)

    def signature(function: Any) -> Any:
        return tf.function(function).get_concrete_function(a=spec, b=spec)

    signatures = {
        "serving_default": signature(lambda a, b: {"y": a + b}),
        "sum": signature(lambda a, b: {"y": tf.reduce_sum(a + b)}),
        "first": signature(lambda a, b: {"y": (a + b)[:1]}),
    }
    tf.saved_model.save(tf.Module(), str(path), signatures)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("words")
    save_describing(folder / "tiny/12")
    (folder / "tiny/3").symlink_to(folder / "tiny/12")
    save_pair(folder / "pair/1")
    (folder / "models.config").write_text(CONFIG)
    with LocalServer(folder, rest_port=0) as server:
        yield server


def predict(
    name: str = "tiny", signature: str = "predict", outputs: tuple[str, ...] = (), **inputs: Any
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def of(kind: Any, spec: str, **fields: Any) -> Any:
    """A request of a kind about the model that a ModelSpec in text format names."""
    request = kind(**fields)
    text_format.Parse(spec, request.model_spec)
    return request


def cut_short(request: predict_pb2.PredictRequest) -> predict_pb2.PredictRequest:
    for tensor in request.inputs.values():
        tensor.tensor_content = b"\0" * 7
    return request


def reload(*models: str) -> management_pb2.ReloadConfigRequest:
    request = management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for model in models:
        text_format.Parse(model, request.config.model_config_list.config.add())
    return request


def model(
    name: str = "tiny", path: str = HERE, platform: str = "tensorflow", more: str = ""
) -> str:
    said = f'model_platform: "{platform}"' if platform else ""
    return f'name: "{name}" base_path: "{path}" {said} {more}'


CUSTOM = management_pb2.ReloadConfigRequest()
CUSTOM.config.custom_model_config.SetInParent()
LABEL = 'version_labels { key: "stable" value: 9 }'
SIGNATURES = {"metadata_field": ["signature_def"]}
NOTHING = management_pb2.ReloadConfigRequest()

GRPC = [
    # === Which model ===
    (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec", "predict_impl.cc"),
    (predict(name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified.", "server_core.cc"),
    (
        predict(name="none"),
        "NOT_FOUND",
        "Servable not found for request: Latest(none)",
        "basic_manager.cc",
    ),
    (
        of(predict_pb2.PredictRequest, 'name: "tiny" version { value: 4 }'),
        "NOT_FOUND",
        "Servable not found for request: Specific(tiny, 4)",
        "basic_manager.cc",
    ),
    (
        of(predict_pb2.PredictRequest, 'name: "tiny" version_label: "newest"'),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: newest",
        "server_core.cc",
    ),
    (
        predict(signature="none", signal=ONE),
        "FAILED_PRECONDITION",
        'Serving signature key "none" not found.',
        "predict_util.cc",
    ),
    (
        cut_short(predict(signature="none", signal=ONE)),
        "FAILED_PRECONDITION",
        'Serving signature key "none" not found.',
        "predict_util.cc, before it parses",
    ),
    (
        # Its method_name is none of the three, which is not looked at unless
        # --enable_signature_method_name_check.
        predict(signature="__saved_model_init_op"),
        "INVALID_ARGUMENT",
        "Batching Run() must have at least one input tensor",
        "server.h, batching_util.h",
    ),
    # === Inputs and outputs ===
    (
        predict(),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({signal}). Sent extra: {}. "
        "Missing but required: {signal}.",
        "predict_util.cc",
    ),
    (
        predict(signal=ONE, x=ONE, a=ONE),
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=1 len({a,signal,x}) != len({signal}). Sent "
        "extra: {a,x}. Missing but required: {}.",
        "predict_util.cc",
    ),
    (
        predict(genes=ONE),
        "INVALID_ARGUMENT",
        "Signature input alias: signal(feed name: predict_signal:0) not found in request and no "
        "default value provided. Inputs expected to be in the request {genes}, or default input "
        "alias set: ",
        "tensorflow/cc/saved_model/util.cc",
    ),
    (
        predict("pair", "", a=[1.0], c=[1.0]),
        "INVALID_ARGUMENT",
        "Signature input alias: b(feed name: serving_default_b:0) not found in request and no "
        "default value provided. Inputs expected to be in the request {a,c}, or default input "
        "alias set: ",
        "tensorflow/cc/saved_model/util.cc",
    ),
    (
        cut_short(predict(signal=ONE)),
        "INVALID_ARGUMENT",
        "tensor parsing error: signal",
        "tensorflow/cc/saved_model/util.cc",
    ),
    (
        predict(outputs=("alpha",), signal=ONE),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: alpha Outputs expected to be in the set "
        "{probability}.",
        "predict_util.cc",
    ),
    (
        predict(outputs=("probability",) * 2, signal=ONE),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: probability",
        "predict_util.cc",
    ),
    # === The graph ===
    (
        predict(signal=ONE.astype(np.float64)),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but double is provided",
        "tensorflow/core/framework/function.cc",
    ),
    (
        predict("pair", "", a=[1.0], b=[1]),
        "INVALID_ARGUMENT",
        "Expects arg[1] to be float but int32 is provided",
        "tensorflow/core/framework/function.cc",
    ),
    (
        predict(signal=np.float32(1)),
        "INVALID_ARGUMENT",
        "Batching Run() input tensors must have at least one dimension",
        "batching_util.h",
    ),
    (
        predict("pair", "", a=[1.0], b=[1.0, 2.0]),
        "INVALID_ARGUMENT",
        "Batching Run() input tensors must have equal 0th-dimension size",
        "batching_util.h",
    ),
    (
        predict(signal=np.zeros((257, 3, 2), np.float32)),
        "INVALID_ARGUMENT",
        "Task size 257 is larger than maximum input batch size 256",
        "tensorflow/core/kernels/batching_util/shared_batch_scheduler.h",
    ),
    (
        predict("pair", "sum", a=[1.0], b=[1.0]),
        "FAILED_PRECONDITION",
        "Batched output tensor has 0 dimensions",
        "batching_session.cc",
    ),
    (
        predict("pair", "first", a=[1.0, 2.0], b=[1.0, 2.0]),
        "FAILED_PRECONDITION",
        "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
        "of the input tensors",
        "batching_session.cc",
    ),
    # === Metadata ===
    (
        metadata_pb2.GetModelMetadataRequest(),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
        "get_model_metadata_impl.cc",
    ),
    (
        of(metadata_pb2.GetModelMetadataRequest, 'name: "tiny"'),
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
        "get_model_metadata_impl.cc",
    ),
    (
        of(metadata_pb2.GetModelMetadataRequest, 'name: "tiny"', metadata_field=["assets"]),
        "INVALID_ARGUMENT",
        "Metadata field %s is not supportedassets",
        "get_model_metadata_impl.cc",
    ),
    (
        of(metadata_pb2.GetModelMetadataRequest, 'name: "none"', **SIGNATURES),
        "NOT_FOUND",
        "Servable not found for request: Latest(none)",
        "basic_manager.cc",
    ),
    (
        of(metadata_pb2.GetModelMetadataRequest, "", **SIGNATURES),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
        "get_model_metadata_impl.cc",
    ),
    # === Status ===
    (
        status_pb2.GetModelStatusRequest(),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
        "get_model_status_impl.cc",
    ),
    (
        of(status_pb2.GetModelStatusRequest, 'name: "none"'),
        "NOT_FOUND",
        "Could not find any versions of model none",
        "get_model_status_impl.cc",
    ),
    (
        of(status_pb2.GetModelStatusRequest, 'name: "tiny" version { value: 4 }'),
        "NOT_FOUND",
        "Could not find version 4 of model tiny",
        "get_model_status_impl.cc",
    ),
    (
        of(status_pb2.GetModelStatusRequest, 'name: "none" version_label: "stable"'),
        "NOT_FOUND",
        "Could not find any versions of model none",
        "get_model_status_impl.cc",
    ),
    # === Reload ===
    (
        NOTHING,
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
        "is currently supported",
        "model_service_impl.cc",
    ),
    (
        CUSTOM,
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
        "is currently supported",
        "model_service_impl.cc",
    ),
    (
        reload(model(), model()),
        "INVALID_ARGUMENT",
        "Illegal to list model tiny multiple times in config list",
        "server_core.cc",
    ),
    (
        reload(model(path="models/tiny")),
        "INVALID_ARGUMENT",
        "Expected model tiny to have an absolute path or URI; got base_path()=models/tiny",
        "server_core.cc",
    ),
    (
        reload(model(platform="")),
        "INVALID_ARGUMENT",
        "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
        "ModelServerConfig::model_platform.",
        "server_core.cc",
    ),
    (
        reload(model(more="model_type: TENSORFLOW")),
        "INVALID_ARGUMENT",
        "Illegal setting both ModelServerConfig::model_type (deprecated) and "
        "ModelServerConfig::model_platform.",
        "server_core.cc",
    ),
    (
        reload(model(platform="", more="model_type: OTHER")),
        "INVALID_ARGUMENT",
        "ModelServerConfig::model_type choice 2 not supported.",
        "server_core.cc",
    ),
    (
        reload(model(platform="caffe")),
        "INVALID_ARGUMENT",
        "Illegal to change a model's platform. For model tiny platform was tensorflow and new "
        "platform requested is caffe",
        "server_core.cc",
    ),
    (
        reload(model("new", platform="caffe")),
        "INVALID_ARGUMENT",
        "Model new requests unsupported platform caffe",
        "server_core.cc",
    ),
    (
        reload(model(more=LABEL)),
        "FAILED_PRECONDITION",
        "Request to assign label to version 9 of model tiny, which is not currently available for "
        "inference",
        "server_core.cc",
    ),
]

# Beginnings and ends stand for words that say the whole request once more.
REST = [
    # === Which model ===
    (
        "none:predict",
        {"inputs": [1]},
        404,
        "Servable not found for request: Latest(none)",
        "basic_manager.cc",
    ),
    (
        "tiny/versions/4:predict",
        {"inputs": [1]},
        404,
        "Servable not found for request: Specific(tiny, 4)",
        "basic_manager.cc",
    ),
    (
        "tiny/labels/x:predict",
        {"inputs": [1]},
        400,
        "Unrecognized servable version label: x",
        "server_core.cc",
    ),
    (
        "..%2Ftiny:predict",
        {"inputs": [1]},
        404,
        "Servable not found for request: Latest(../tiny)",
        "http_rest_api_util.cc decodes the name alone",
    ),
    (
        "tiny:predict",
        {"inputs": [1], "signature_name": "x"},
        400,
        'Serving signature name: "x" not found in signature def',
        "http_rest_api_handler.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [1], "signature_name": "__saved_model_init_op"},
        400,
        "Failed to get input map for signature: __saved_model_init_op",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": 1, "signature_name": 5},
        400,
        "... not formatted correctly. 'signature_name' key must be a string value.",
        "json_tensor.cc",
    ),
    # === Paths ===
    ("", None, 400, "Missing model name in request.", "http_rest_api_handler.cc"),
    ("none", None, 404, "Could not find any versions of model none", "get_model_status_impl.cc"),
    (
        "tiny/versions/4",
        None,
        404,
        "Could not find version 4 of model tiny",
        "get_model_status_impl.cc",
    ),
    (
        "none/labels/x",
        None,
        404,
        "Could not find any versions of model none",
        "get_model_status_impl.cc",
    ),
    (
        "none/metadata",
        None,
        404,
        "Servable not found for request: Latest(none)",
        "basic_manager.cc",
    ),
    (
        "tiny/labels/x/metadata",
        None,
        400,
        "Unrecognized servable version label: x",
        "server_core.cc",
    ),
    ("tiny", {}, 400, "Malformed request: POST /v1/models/tiny", "http_rest_api_handler.cc"),
    (
        "tiny:Predict",
        {},
        400,
        "Malformed request: POST /v1/models/tiny:Predict",
        "http_rest_api_handler.cc compares the verb as it is",
    ),
    (
        "tiny/versions/x:predict",
        {},
        400,
        "Malformed request: POST /v1/models/tiny/versions/x:predict",
        "http_rest_api_util.cc",
    ),
    (
        "tiny/nosuch",
        None,
        400,
        "Malformed request: GET /v1/models/tiny/nosuch",
        "http_rest_api_util.cc",
    ),
    # === JSON ===
    ("tiny:predict", b"", 400, "JSON Parse error: The document is empty", "json_tensor.cc"),
    (
        "tiny:predict",
        b" ",
        400,
        "JSON Parse error: The document is empty...",
        "rapidjson/error/en.h",
    ),
    (
        "tiny:predict",
        b"{",
        400,
        "JSON Parse error: Missing a name for object member. at offset: 1",
        "rapidjson/error/en.h",
    ),
    (
        "tiny:predict",
        b'{"inputs" 1}',
        400,
        "JSON Parse error: Missing a colon after a name of object member. at offset: 10",
        "rapidjson/error/en.h",
    ),
    (
        "tiny:predict",
        b'{"inputs": x}',
        400,
        "JSON Parse error: Invalid value. at offset: 11",
        "rapidjson/error/en.h",
    ),
    ("tiny:predict", b"[" * 100_000, 400, "JSON Parse error...", "rapidjson/error/en.h"),
    ("tiny:predict", b"\xff\xfe", 400, "JSON Parse error...", "rapidjson/error/en.h"),
    ("tiny:predict", b"1", 400, "JSON Value: 1 Is not object", "json_tensor.cc"),
    ("tiny:predict", b"null", 400, "JSON Value: null Is not object", "json_tensor.cc"),
    (
        "tiny:predict",
        b'{"inputs": 1e400}',
        400,
        "JSON Parse error: Number too big to be stored in double....",
        "rapidjson/error/en.h",
    ),
    (
        "tiny:predict",
        b'{"inputs": 1' + 400 * b"0" + b"}",
        400,
        "JSON Parse error: Number too big to be stored in double....",
        "rapidjson/error/en.h",
    ),
    # === Keys ===
    ("tiny:predict", {}, 400, "Missing 'inputs' or 'instances' key", "json_tensor.cc"),
    (
        "tiny:predict",
        {"inputs": [1], "instances": [1]},
        400,
        "... Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": []},
        400,
        "... No values in 'instances' array",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": 5},
        400,
        "... Excepting 'instances' to be an list/array",
        "json_tensor.cc",
    ),
    (
        "pair:predict",
        {"instances": [1]},
        400,
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
        "json_tensor.cc",
    ),
    (
        "pair:predict",
        {"inputs": [1]},
        400,
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": [{"signal": [1]}, {"x": [1]}]},
        400,
        "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        "object: does not have named input: x",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": [{"signal": [1]}, {}]},
        400,
        "Failed to process element: 1 of 'instances' list. JSON object: {} keys must be equal to: "
        "signal",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": [{"signal": [1]}, [1]]},
        400,
        "Expecting object but got list at item 1 of input list",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": [[1], {"signal": [1]}]},
        400,
        "Expecting value/list but got object at item 1 of input list",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": [[1, 2], [1]]},
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "tensor size: 2 but got: 1",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"instances": [[[1, 2]], [[1], [2]]]},
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "shape [1,2] but got: [2,1]",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": {"x": [1]}},
        400,
        "Missing named input: signal in 'inputs' object.",
        "json_tensor.cc",
    ),
    # === Numbers ===
    (
        "tiny:predict",
        {"inputs": [[1], [1, 2]]},
        400,
        "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [1, [2]]},
        400,
        "Encountered list at unexpected level: 1 expected < 1",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [[1], 2]},
        400,
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": ["1.5"]},
        400,
        'JSON Value: "1.5" Type: String is not of expected type: float',
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [1, None]},
        400,
        "JSON Value: null Type: Null is not of expected type: float",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [0.5, True]},
        400,
        "JSON Value: true Type: True is not of expected type: float",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [False]},
        400,
        "JSON Value: false Type: False is not of expected type: float",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [{"b64": "AAAA"}]},
        400,
        "... Type: Object is not of expected type: float",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [16777216, 0.5]},
        400,
        "Cannot convert JSON value: 16777216 to float without loss of precision.",
        "json_tensor.cc",
    ),
    (
        "tiny:predict",
        {"inputs": [1e39]},
        400,
        "Cannot convert JSON value: 1e+39 to float without loss of precision.",
        "json_tensor.cc",
    ),
    # === The graph ===
    (
        "tiny:predict",
        {"inputs": {"signal": 1}},
        400,
        "Batching Run() input tensors must have at least one dimension",
        "batching_util.h",
    ),
    (
        "tiny:predict",
        {"inputs": [[[0] * 2] * 3] * 257},
        400,
        "Task size 257 is larger than maximum input batch size 256",
        "shared_batch_scheduler.h",
    ),
    (
        "pair:predict",
        {"inputs": {"a": [1], "b": [1]}, "signature_name": "sum"},
        400,
        "Batched output tensor has 0 dimensions",
        "batching_session.cc",
    ),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("request_", "code", "words", "source"), GRPC)
def test_grpc(server: LocalServer, request_: Any, code: str, words: str, source: str) -> None:
    with Asking(server.target) as asking:
        methods = {
            "PredictRequest": asking.predictions.Predict,
            "GetModelMetadataRequest": asking.predictions.GetModelMetadata,
            "GetModelStatusRequest": asking.models.GetModelStatus,
            "ReloadConfigRequest": asking.models.HandleReloadConfigRequest,
        }
        ask = methods[type(request_).__name__]
        assert asking.fails(lambda: ask(request_)) == (code, words), source
    assert server.models == {"pair": [1], "tiny": [3, 12]}


@pytest.mark.parametrize(("path", "body", "status", "words", "source"), REST)
def test_rest(
    server: LocalServer, path: str, body: Any, status: int, words: str, source: str
) -> None:
    url = f"{server.rest_url}/v1/models" + (f"/{path}" if path else "")
    if body is None:
        response = requests.get(url, timeout=60)
    else:
        data = body if isinstance(body, bytes) else json.dumps(body)
        response = requests.post(url, data=data, timeout=60)
    assert response.status_code == status, source
    received = response.json()["error"]
    if words.startswith("..."):
        assert received.endswith(words[3:]), source
    elif words.endswith("..."):
        assert received.startswith(words[:-3]), source
    else:
        assert received == words, source


def test_the_table_is_complete() -> None:
    assert len(GRPC) + len(REST) >= 60
    assert all(row[-1] for row in [*GRPC, *REST])


def test_status_by_label_tells_of_all_versions(server: LocalServer) -> None:
    """TensorFlow Serving looks at the version alone, get_model_status_impl.cc."""
    for path in ("tiny", "tiny/labels/stable", "tiny/labels/none"):
        answer = requests.get(f"{server.rest_url}/v1/models/{path}", timeout=60).json()
        assert [v["version"] for v in answer["model_version_status"]] == ["12", "3"]
        assert answer["model_version_status"][0] == {
            "version": "12",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }


def test_metadata_is_laid_out_as_there(server: LocalServer) -> None:
    answer = requests.get(f"{server.rest_url}/V1/Models/tiny/versions/3/metadata", timeout=60)
    assert answer.json()["model_spec"] == {"name": "tiny", "signature_name": "", "version": "3"}
    signatures = answer.json()["metadata"]["signature_def"].pop("signature_def")
    assert answer.json()["metadata"]["signature_def"].keys() == {"signature_def"}
    assert signatures["predict"]["method_name"] == "tensorflow/serving/predict"
    assert signatures["__saved_model_init_op"]["method_name"] == ""


def test_only_the_server_as_a_whole_has_a_health(server: LocalServer) -> None:
    """As with gRPC's own service in C++, which is never told of names."""
    with grpc.insecure_channel(server.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest()).status == 1
        for name in ("tensorflow.serving.PredictionService", "tiny"):
            with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
                stub.Check(health_pb2.HealthCheckRequest(service=name))
