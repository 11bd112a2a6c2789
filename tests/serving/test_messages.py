"""Our messages against those of TensorFlow Serving's own Python package."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import any_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
)

from serving import messages
from serving.grpc_messages import (
    _METHODS,
    metadata_message,
    predict_message,
    read_answer,
    read_metadata,
    status_message,
)
from serving.local import LocalServer
from serving.questions import Request
from serving.tensors import to_answer

THEIRS = [
    model_pb2.ModelSpec,
    predict_pb2.PredictRequest,
    predict_pb2.PredictResponse,
    tensor_pb2.TensorProto,
    tensor_shape_pb2.TensorShapeProto,
    tensor_shape_pb2.TensorShapeProto.Dim,
    get_model_metadata_pb2.GetModelMetadataRequest,
    get_model_metadata_pb2.GetModelMetadataResponse,
    get_model_metadata_pb2.SignatureDefMap,
    meta_graph_pb2.SignatureDef,
    meta_graph_pb2.TensorInfo,
    get_model_status_pb2.GetModelStatusRequest,
    get_model_status_pb2.GetModelStatusResponse,
    get_model_status_pb2.ModelVersionStatus,
    any_pb2.Any,
]


def on_the_wire(field: FieldDescriptor) -> tuple[Any, ...]:
    message, enum = field.message_type, field.enum_type
    is_map = message is not None and message.GetOptions().map_entry
    value = on_the_wire(message.fields_by_name["value"]) if is_map else ()
    name = "" if message is None or is_map else message.name
    return (field.number, field.type, field.is_repeated, name, enum and enum.name, value)


@pytest.mark.parametrize("theirs", THEIRS, ids=lambda theirs: theirs.DESCRIPTOR.name)
def test_fields_are_tensorflow_servings(theirs: Any) -> None:
    ours: Descriptor = messages._classes[theirs.DESCRIPTOR.name].DESCRIPTOR
    assert ours.fields
    for field in ours.fields:
        original = theirs.DESCRIPTOR.fields_by_name[field.name]
        assert on_the_wire(field) == on_the_wire(original), field.name


def test_enums_are_tensorflow_servings() -> None:
    ours = messages.PredictRequest.DESCRIPTOR.file.enum_types_by_name
    data_types, states = ours["DataType"].values_by_name, ours["State"].values_by_name
    assert len(data_types) == 17
    for name, value in data_types.items():
        assert types_pb2.DataType.Value(name) == value.number
    theirs = get_model_status_pb2.ModelVersionStatus.State.items()
    assert {name: value.number for name, value in states.items()} == dict(theirs)


def test_methods_are_tensorflow_servings() -> None:
    services = {
        **prediction_service_pb2.DESCRIPTOR.services_by_name,
        **model_service_pb2.DESCRIPTOR.services_by_name,
    }
    for name, (service, request, response) in _METHODS.items():
        method = services[service].methods_by_name[name]
        assert method.containing_service.full_name == f"tensorflow.serving.{service}"
        assert method.input_type.name == request.DESCRIPTOR.name
        assert method.output_type.name == response.DESCRIPTOR.name


@pytest.mark.parametrize(
    ("choice", "version", "label"), [(3, 3, ""), ("stable", 0, "stable"), (None, None, "")]
)
def test_their_reader_reads_our_requests(
    choice: int | str | None, version: int | None, label: str
) -> None:
    signal = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
    request = Request("predict", "signal", "probability", signal, lambda answer: answer)
    sent = predict_message("tiny", request, choice).SerializeToString()
    read = predict_pb2.PredictRequest.FromString(sent)
    np.testing.assert_array_equal(tf.make_ndarray(read.inputs["signal"]), signal)
    others = (
        (metadata_message, get_model_metadata_pb2.GetModelMetadataRequest),
        (status_message, get_model_status_pb2.GetModelStatusRequest),
    )
    specs = [read.model_spec]
    for write, theirs in others:
        specs.append(theirs.FromString(write("tiny", choice).SerializeToString()).model_spec)
    assert [spec.name for spec in specs] == ["tiny"] * 3
    assert read.model_spec.signature_name == "predict"
    for spec in specs[:2]:
        assert spec.version_label == label
        assert spec.version.value == (version or 0)
    # A server is not asked for a label's state.
    assert specs[2].HasField("version") is (isinstance(choice, int))


def test_we_read_their_answers() -> None:
    answer = predict_pb2.PredictResponse()
    answer.model_spec.version.value = 12
    alpha = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    answer.outputs["alpha"].CopyFrom(to_answer(alpha))
    answer.outputs["probability"].CopyFrom(tf.make_tensor_proto(np.float32([0.5])))
    answer.outputs["description"].CopyFrom(tf.make_tensor_proto([b"{}"]))
    read = read_answer(messages.PredictResponse.FromString(answer.SerializeToString()))
    assert read.version == 12
    np.testing.assert_array_equal(read.outputs["alpha"], alpha)
    np.testing.assert_array_equal(read.outputs["probability"], [0.5])
    assert list(read.outputs["description"]) == [b"{}"]


def test_we_read_their_metadata() -> None:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    info = signatures.signature_def["predict"].inputs["signal"]
    info.name, info.dtype = "signal:0", types_pb2.DT_FLOAT
    info.tensor_shape.dim.add(size=-1)
    metadata = get_model_metadata_pb2.GetModelMetadataResponse()
    metadata.metadata["signature_def"].Pack(signatures)
    theirs = messages.GetModelMetadataResponse.FromString(metadata.SerializeToString())
    read = read_metadata(theirs)["signature_def"]["predict"]["inputs"]["signal"]
    assert read == {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}}


@pytest.mark.serving
def test_clients_do_without_tensorflow(server: LocalServer, tmp_path: Path) -> None:
    """Its import takes seconds of a core."""
    csv = tmp_path / "genes.csv"
    csv.write_text("".join(f"G,{bin_},1,2,3,4,5\n" for bin_ in range(1, 9)))
    code = f"""
import sys
import numpy as np
from serving.client import Client, main
import serving.web.app
from serving.web.config import WebConfig

target, csv, out = {server.target!r}, {str(csv)!r}, {str(tmp_path / "out.csv")!r}
main(["--target", target, "--model", "tiny", "--csv", csv, "--out", out])
main(["--target", target, "--model", "tiny", "--describe"])

with Client(target, "tiny") as client:
    assert client.predict(np.ones((1, 8, 5), np.float32)).alpha.shape == (1, 5, 8)
serving.web.app.build_app(WebConfig(target, models=("tiny",)))
print(sorted({{"tensorflow", "keras"}} & set(sys.modules)))
"""
    asked = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert asked.stdout.splitlines()[-1] == "[]"
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2
