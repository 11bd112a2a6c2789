"""A process that knows an exported model and nothing of our code, as a server does.

This file is a script too: the process runs it by its path, since to import it as a module of this
package would be to import the package.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_MAX_REASON_CHARACTERS = 500


class FreshProcess:
    """A process that answers with exported models, on the CPU, as long as its context is open.

    It can import neither Keras nor our packages. It starts in the background, and answers for one
    model after the other, SavedModels with TensorFlow and ONNX files with ONNX Runtime.
    """

    def __enter__(self) -> "FreshProcess":
        # They have no names, and so are gone with the processes, whatever these die of.
        self._log = tempfile.TemporaryFile()
        self._inputs = tempfile.TemporaryFile()
        self._answers = tempfile.TemporaryFile()
        files = [self._inputs.fileno(), self._answers.fileno()]
        self._process = subprocess.Popen(
            # -P: or the modules beside this file could stand for others of their names.
            [sys.executable, "-P", __file__, *map(str, files)],
            pass_fds=files,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()
        for file in (self._log, self._inputs, self._answers):
            file.close()

    def answers(
        self, model_dir: Path, inputs: Mapping[str, "np.ndarray"]
    ) -> "dict[str, np.ndarray]":
        """Load an exported model and ask it, for all rows of the inputs and for one.

        Args:
            model_dir: A SavedModel, or a folder with ONNX files.
            inputs: A value for each input that a signature has, by its name; the first axis is
                the batch.

        Returns:
            Each output, by `signature.output.rows`, such as `predict.probability.1`; the name of
            an ONNX file without its ending stands for the signature. Of the metadata of such a
            file also `predict.metadata.key`.

        Raises:
            RuntimeError: If the model cannot be loaded or does not answer; the message is
                the reason.
        """
        _write(self._inputs, inputs)
        if reason := self._ask(str(model_dir.absolute())):
            raise RuntimeError(reason)
        return _read(self._answers)

    def _ask(self, request: str) -> str:
        """What went wrong; empty if nothing did."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            print(json.dumps(request), file=self._process.stdin, flush=True)
        if answer := self._process.stdout.readline():
            reason: str = json.loads(answer)
            return reason
        code = self._process.wait()
        self._log.seek(0)
        last_line = self._log.read().decode(errors="replace").rstrip().rpartition("\n")[2]
        # A model that ends the process is not to end it for the next one.
        self.__exit__()
        self.__enter__()
        return f"the process ended with exit code {code}: {last_line}"


def _write(file: IO[bytes], arrays: "Mapping[str, np.ndarray]") -> None:
    """Write arrays in the place of those that a file holds."""
    import numpy as np

    file.seek(0)
    file.truncate()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    file.flush()


def _read(file: IO[bytes]) -> "dict[str, np.ndarray]":
    import numpy as np

    file.seek(0)
    with np.load(file) as arrays:
        return dict(arrays)


def _answers(model_dir: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    files = sorted(model_dir.glob("*.onnx"))
    return _onnx_answers(files, inputs) if files else _saved_model_answers(model_dir, inputs)


def _onnx_answers(files: list[Path], inputs: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np
    import onnxruntime

    answers = {}
    for file in files:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        keys = [value.name for value in session.get_inputs()]
        names = [value.name for value in session.get_outputs()]
        for num_rows in {1, *(len(inputs[key]) for key in keys)}:
            values = session.run(names, {key: inputs[key][:num_rows] for key in keys})
            for name, value in zip(names, values, strict=True):
                answers[f"{file.stem}.{name}.{num_rows}"] = value
        for key, text in session.get_modelmeta().custom_metadata_map.items():
            answers[f"{file.stem}.metadata.{key}"] = np.array(text.encode())
    return answers


def _saved_model_answers(model_dir: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    import tensorflow as tf

    answers = {}
    for name, signature in tf.saved_model.load(str(model_dir)).signatures.items():
        keys = signature.structured_input_signature[1]
        for num_rows in {1, *(len(inputs[key]) for key in keys)}:
            rows = {key: tf.constant(inputs[key][:num_rows]) for key in keys}
            for output, value in signature(**rows).items():
                # Text as bytes of a fixed length: arrays of objects would be pickled.
                array = value.numpy().astype("S") if value.dtype == tf.string else value.numpy()
                answers[f"{name}.{output}.{num_rows}"] = array
    return answers


def _run() -> None:
    # Whatever needs one of these fails now, as it would in a server.
    ours = ("keras_chrome", "export", "serving", "tfds_remc")
    # TensorFlow imports the latter where they are installed: half of its seconds.
    others = ("keras", "jax", "matplotlib", "pandas", "scipy", "sklearn")
    for package in (*ours, *others):
        sys.modules[package] = None  # type: ignore[assignment]
    for line in sys.stdin:
        inputs, answers = (os.fdopen(int(n), "r+b", closefd=False) for n in sys.argv[1:])
        try:
            _write(answers, _answers(Path(json.loads(line)), _read(inputs)))
            reason = ""
        except Exception as error:  # Whatever it is, the other side reports it.
            # In one line: TensorFlow's messages have many.
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON_CHARACTERS]
        gc.collect()  # A loaded SavedModel is full of cycles: it would stay for long.
        print(json.dumps(reason), flush=True)


if __name__ == "__main__":
    _run()
