"""What a request is answered, whichever way it came, in TensorFlow Serving's words and codes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from serving.stand_in.batching import Batcher
from serving.stand_in.metrics import Metrics
from serving.stand_in.model_store import END, ModelStore
from serving.stand_in.servable import Call, RequestError, Servable, invalid
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


class Service:
    """Answers requests; belongs to one event loop.

    Args:
        models: The models that are served.
        batcher: Runs them.
        metrics: Counts the runs.
        max_message_bytes: Most bytes that a tensor may claim to have.
    """

    def __init__(
        self, models: ModelStore, batcher: Batcher, metrics: Metrics, max_message_bytes: int
    ) -> None:
        self.models = models
        self._batcher = batcher
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes

    async def predict(self, request: "predict_pb2.PredictRequest") -> "predict_pb2.PredictResponse":
        """Answer a Predict request.

        Raises:
            RequestError: If it is refused.
        """
        from tensorflow_serving.apis import predict_pb2

        servable, spec = self._find(request), request.model_spec
        call = servable.call(spec.signature_name, list(request.inputs), request.output_filter)
        inputs = {}
        for name in call.inputs:
            try:
                inputs[name] = to_array(request.inputs[name], self._max_message_bytes)
            except TensorError as error:
                raise invalid(f"tensor parsing error: {name}") from error
        response = predict_pb2.PredictResponse()
        for name, value in (await self.run(servable, call, inputs)).items():
            response.outputs[name].CopyFrom(to_answer(value))
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.model_spec.signature_name = call.signature
        return response

    async def run(
        self, servable: Servable, call: Call, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """The outputs that a call asks a version for.

        Raises:
            RequestError: If its graph refuses it, or the queue is full.
        """
        import tensorflow as tf

        try:
            with self._metrics.run(servable.name):
                arrays = [inputs[name] for name in call.inputs]
                values = await self._batcher.run(servable, call, arrays)
        except tf.errors.OpError as error:
            raise RequestError(_CODES[error.error_code], error.message) from error
        return dict(zip(call.outputs, values, strict=True))

    def get_model_metadata(
        self, request: "get_model_metadata_pb2.GetModelMetadataRequest"
    ) -> "get_model_metadata_pb2.GetModelMetadataResponse":
        """Answer a GetModelMetadata request; raises `RequestError`."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        spec = _spec_of(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                # TensorFlow Serving takes its template for text.
                raise invalid(f"Metadata field %s is not supported{field}")
        servable = self.models.find(spec)
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
            # While it is tried again, nothing is known to be wrong.
            error = version.error if version.state == END else ""
            status.status.error_code = tf.errors.UNKNOWN if error else tf.errors.OK
            status.status.error_message = error
        return response

    async def reload_config(
        self, request: "model_management_pb2.ReloadConfigRequest"
    ) -> "model_management_pb2.ReloadConfigResponse":
        """Answer a HandleReloadConfigRequest; raises `RequestError`."""
        from tensorflow_serving.apis import model_management_pb2

        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        await self.models.apply(request.config, is_patient=True)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response

    def _find(self, request: Any) -> Servable:
        return self.models.find(_spec_of(request))


def _spec_of(request: Any) -> "model_pb2.ModelSpec":
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return request.model_spec
