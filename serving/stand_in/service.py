"""What a request is answered, whichever way it came, in TensorFlow Serving's words and codes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import numpy as np

from serving.stand_in.batching import Batcher
from serving.stand_in.model_store import ModelStore
from serving.stand_in.servable import RequestError, Servable, invalid
from serving.tensors import TensorError, to_answer, to_array

if TYPE_CHECKING:
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        model_pb2,
        predict_pb2,
    )

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Answer(NamedTuple):
    """Outputs of a signature, and which version gave them."""

    servable: Servable
    signature: str
    outputs: dict[str, np.ndarray]


class Service:
    """Answers requests; belongs to one event loop.

    Args:
        models: The models that are served.
        batcher: Runs them.
        max_message_bytes: Most bytes that a tensor may claim to have.
    """

    def __init__(self, models: ModelStore, batcher: Batcher, max_message_bytes: int) -> None:
        self.models = models
        self._batcher = batcher
        self._max_message_bytes = max_message_bytes

    async def predict(self, request: "predict_pb2.PredictRequest") -> "predict_pb2.PredictResponse":
        """Answer a Predict request.

        Raises:
            RequestError: If it is refused.
        """
        from tensorflow_serving.apis import predict_pb2

        servable = self._find(request)
        inputs = {}
        for name, tensor in request.inputs.items():
            try:
                inputs[name] = to_array(tensor, self._max_message_bytes)
            except TensorError as error:
                raise invalid(f"tensor parsing error: {name}") from error
        spec = request.model_spec
        answer = await self.run(servable, spec.signature_name, inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.model_spec.signature_name = answer.signature
        for name, value in answer.outputs.items():
            response.outputs[name].CopyFrom(to_answer(value))
        return response

    async def run(
        self,
        servable: Servable,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        output_filter: Sequence[str] = (),
    ) -> Answer:
        """Run a signature of a version.

        Raises:
            RequestError: If the version or its graph refuses it.
        """
        import tensorflow as tf

        call = servable.call(signature_name, list(inputs), output_filter)
        try:
            values = await self._batcher.run(servable, call, [inputs[name] for name in call.inputs])
        except tf.errors.OpError as error:
            raise RequestError(_CODES[error.error_code], error.message) from error
        return Answer(servable, call.signature, dict(zip(call.outputs, values, strict=True)))

    def get_model_metadata(
        self, request: "get_model_metadata_pb2.GetModelMetadataRequest"
    ) -> "get_model_metadata_pb2.GetModelMetadataResponse":
        """Answer a GetModelMetadata request; raises `RequestError`."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        servable = self._find(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def get_model_status(
        self, request: "get_model_status_pb2.GetModelStatusRequest"
    ) -> "get_model_status_pb2.GetModelStatusResponse":
        """Answer a GetModelStatus request; raises `RequestError`."""
        import tensorflow as tf
        from tensorflow_serving.apis import get_model_status_pb2

        versions = self.models.versions(_spec_of(request))
        response = get_model_status_pb2.GetModelStatusResponse()
        states = get_model_status_pb2.ModelVersionStatus.State
        for number, version in sorted(versions.items(), reverse=True):
            status = response.model_version_status.add()
            status.version = number
            status.state = states.Value(version.state)
            status.status.error_code = tf.errors.UNKNOWN if version.error else tf.errors.OK
            status.status.error_message = version.error
        return response

    async def reload_config(
        self, request: "model_management_pb2.ReloadConfigRequest"
    ) -> "model_management_pb2.ReloadConfigResponse":
        """Answer a HandleReloadConfigRequest; raises `RequestError`."""
        from tensorflow_serving.apis import model_management_pb2

        await self.models.apply(request.config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response

    def _find(self, request: Any) -> Servable:
        return self.models.find(_spec_of(request))


def _spec_of(request: Any) -> "model_pb2.ModelSpec":
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return request.model_spec
