"""A client that asks nobody: it answers from an ONNX file, in its own process.

What is asked and answered is that of the clients of servers, by the same code. ONNX Runtime does
the arithmetic; neither a server nor TensorFlow is needed.
"""

from pathlib import Path
from typing import Any

import grpc

from serving.any_client import AnyClient
from serving.errors import InputError, ServerError
from serving.questions import Answer, Request, Signatures, VersionChoice

__all__ = ["OnnxClient"]

_DESCRIPTION = "keras_chrome"
_FLOAT = "tensor(float)"


def model_of(file: Path) -> tuple[str, int]:
    """Name and version of the model: `MODELS/NAME/VERSION/model.onnx`, as `export` writes it.

    A file elsewhere has its own name, and is version 1.
    """
    version, name = file.absolute().parts[-2:-4:-1] if len(file.absolute().parts) > 3 else ("", "")
    if version.isascii() and version.isdigit():
        return name, int(version)
    return file.stem, 1


class OnnxClient(AnyClient):
    """`serving.client.Client` of an ONNX file: the same methods, but `saliency`.

        with OnnxClient("models-onnx/e012/1/model.onnx") as client:
            prediction = client.predict(signal, marks=marks)

    Args:
        file: As `python -m export --format onnx` writes it. Read once, whole: the file may go.
        **limits: `batch_size` and `concurrency` of `Client`.

    Raises:
        InputError: If the file is not there, no ONNX or does not describe itself, or if saliency
            is asked for, since ONNX has no gradients.
        ServerError: By every method that predicts, if ONNX Runtime refuses or the answer is not
            what the model's description says.
    """

    def __init__(self, file: str | Path, **limits: Any) -> None:
        self._file = Path(file)
        super().__init__(str(file), *model_of(self._file), **limits)

    def _open(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised, too
        # Threads that wait would else keep their cores from everybody.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            content = self._file.read_bytes()
        except OSError as error:
            raise InputError(
                f"Expected an ONNX file. Received: {self._file} ({error.strerror})"
            ) from error
        try:
            # Of bytes: ONNX Runtime then opens no other file that they name.
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of a dozen classes, which have no other base
            raise InputError(
                f"Expected an ONNX file. Received: {self._file} ({error}). Write one: python -m "
                "export RUN --format onnx"
            ) from error
        self._text = self._session.get_modelmeta().custom_metadata_map.get(_DESCRIPTION, "")
        try:
            _ = self.description
        except ServerError as error:
            raise InputError(
                f"Expected an ONNX file that describes its marks and bins. Received: {self._file}. "
                "Write one: python -m export RUN --format onnx"
            ) from error

    def close(self) -> None:
        """There is nothing to close."""

    def metadata(self) -> Signatures:
        """What it takes and answers; see `Client.metadata`."""

        def tensors(values: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
            return {
                value.name: (
                    "float32" if value.type == _FLOAT else value.type,
                    tuple(size if isinstance(size, int) else -1 for size in value.shape),
                )
                for value in values
            }

        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        return {"serving_default": {"inputs": tensors(inputs), "outputs": tensors(outputs)}}

    def status(self) -> dict[int, str]:
        """The only version is there."""
        return {self.description.version: "AVAILABLE"}

    def _ask(self, request: Request[Any], choice: VersionChoice) -> Answer:
        assert isinstance(choice, int)
        if request.signature == "describe":
            return Answer({request.output_name: [self._text]}, choice)
        if request.signature == "saliency":
            raise InputError(
                f"Expected a server to ask for saliency. Received: {self._file}; ONNX has no "
                "gradients. Export a SavedModel and serve it"
            )
        wanted = [request.output_name] if request.signature == "predict" else None
        names = wanted or [output.name for output in self._session.get_outputs()]
        try:
            outputs = self._session.run(wanted, {request.input_name: request.values})
        except Exception as error:  # as above
            raise self._error(grpc.StatusCode.INTERNAL, str(error)) from error
        return Answer(dict(zip(names, outputs, strict=True)), choice)
