"""The model that `load.py` puts load on, its server in a process of its own, and requests to it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np

from keras_chrome.vocabulary import CORE_MARKS

NUM_BINS = 100
METHOD = "/tensorflow.serving.PredictionService/Predict"
MODEL = "load"


def make_model(folder: Path, variant: str) -> Path:
    """Export a model with random weights; returns the folder of models."""
    from export import export_run
    from keras_chrome.models import build_model
    from keras_chrome.runs import new_run

    about = {"marks": list(CORE_MARKS), "num_bins": NUM_BINS, "transform": "log1p"}
    run_parts = {"options": {"labels": "median"}, "model": {"variant": variant, **about}}
    bins = {"num_bins": NUM_BINS, "bin_bp": 100, "flank_bp": 50 * NUM_BINS}
    with new_run(folder / "run", **run_parts, dataset=bins) as run:
        run.save_model(build_model(variant, **about))
    export_run(run.path, folder / "models", MODEL)
    return folder / "models"


def random_signal(num_genes: int) -> np.ndarray:
    signal = np.random.default_rng(0).negative_binomial(
        1, 0.2, (num_genes, NUM_BINS, len(CORE_MARKS))
    )
    return signal.astype(np.float32)


class Server:
    """`python -m serving.local` in a process of its own."""

    def __init__(
        self, models_dir: Path, batching: dict[str, int] | None = None, *, port: int = 0
    ) -> None:
        command = [
            sys.executable,
            "-m",
            "serving.local",
            "--models",
            str(models_dir),
            "--port",
            str(port),
        ]
        if batching:
            file = models_dir.parent / "batching.config"
            file.write_text("".join(f"{k} {{ value: {v} }}\n" for k, v in batching.items()))
            command += ["--batching-parameters-file", str(file)]
        self.started_s = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.target = self._process.stdout.readline().split(" on ")[1].split(": ")[0]

    def memory_mb(self) -> float:
        """Memory of the process that is in RAM (Linux)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self, number: int = signal.SIGTERM) -> None:
        """End it as an operator would, or with another signal."""
        self._process.send_signal(number)
        self._process.communicate()


@contextmanager
def serving(models_dir: Path, batching: dict[str, int] | None = None) -> Iterator[Server]:
    server = Server(models_dir, batching)
    try:
        yield server
    finally:
        server.close()


def request_bytes(signature: str, signal: np.ndarray) -> bytes:
    from serving.grpc_messages import predict_message
    from serving.questions import Request

    request = Request(signature, "signal", "probability", signal, lambda answer: answer)
    content: bytes = predict_message(MODEL, request, None).SerializeToString()
    return content


def open_channel(target: str) -> grpc.aio.Channel:
    # Each client has a connection of its own, as clients on other machines would.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    return grpc.aio.insecure_channel(target, options=options)
