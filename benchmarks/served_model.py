"""An exported model through the local stand-in for TensorFlow Serving, against calling it directly.

The model is freshly built, with random weights: speed does not depend on them. Requests over gRPC
and calls of the same SavedModel in this process take turns on the same machine.

    pip install 'keras-chrome[serving]'
    python benchmarks/served_model.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

MARKS, NUM_BINS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"), 100
SIGNATURES = ("predict", "serving_default")

Ask = Callable[[np.ndarray], object]


class Case(NamedTuple):
    """So many clients at once, each asking for so many genes at a time."""

    signature: str
    num_genes: int
    asks: list[Ask]
    where: str


def export_random_model(folder: Path, variant: str) -> Path:
    from export import export_run
    from keras_chrome.models import build_model
    from keras_chrome.run_directory import new_run

    about = {"marks": list(MARKS), "num_bins": NUM_BINS, "transform": "log1p"}
    run_parts = {"options": {}, "model": {"variant": variant, **about}, "dataset": {}}
    with new_run(folder / "run", **run_parts) as run:
        run.save_model(build_model(variant, **about))
    return export_run(run.path, folder / "models", variant)


@contextmanager
def local_server(models_dir: Path) -> Iterator[str]:
    """Yield the address of `python -m serving.local`."""
    command = [sys.executable, "-m", "serving.local", "--models", str(models_dir), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split(" on ")[1].split(": ")[0]
        finally:
            process.terminate()


def call_directly(signatures: dict, name: str, signal: np.ndarray) -> object:
    import tensorflow as tf

    return {key: v.numpy() for key, v in signatures[name](signal=tf.constant(signal)).items()}


def seconds_a_request(case: Case, signal: np.ndarray, requests: int) -> tuple[list[float], float]:
    """Seconds of each request, and of all of them together."""
    seconds: list[float] = []

    def ask_again_and_again(ask: Ask) -> None:
        for _ in range(requests):
            started = time.perf_counter()
            ask(signal)
            seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=ask_again_and_again, args=(ask,)) for ask in case.asks]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="Time requests to an exported model.")
    parser.add_argument("--model", default="attentive_chrome", help="variant (%(default)s)")
    parser.add_argument("--genes", type=int, default=64, help="genes a large request (%(default)s)")
    parser.add_argument("--clients", type=int, default=4, help="clients at once (%(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="turns taken (%(default)s)")
    options = parser.parse_args()

    import tensorflow as tf

    from serving.client import Client

    signal = np.random.default_rng(0).negative_binomial(1, 0.2, (options.genes, NUM_BINS, 5))
    signal = signal.astype(np.float32)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model_dir = export_random_model(folder, options.model)
        signatures = tf.saved_model.load(str(model_dir)).signatures
        started = time.perf_counter()
        target = stack.enter_context(local_server(folder / "models"))
        clients = [
            stack.enter_context(Client(target, options.model)) for _ in range(options.clients)
        ]
        clients[0].predict(signal[:1])
        print(
            f"{options.model}, {os.cpu_count()} cores, tensorflow {tf.__version__}; first answer "
            f"{time.perf_counter() - started:.1f} s after the start of the server"
        )
        cases = []
        for name in SIGNATURES:
            direct = [partial(call_directly, signatures, name)]
            asks = [partial(c.predict, attention=name == "serving_default") for c in clients]
            for num_genes in (1, options.genes):
                cases.append(Case(name, num_genes, direct, "in this process"))
                cases.append(Case(name, num_genes, asks[:1], "gRPC, 1 client"))
            cases.append(Case(name, options.genes, asks, f"gRPC, {len(asks)} clients"))
        print_table(cases, signal, options.rounds)


def print_table(cases: list[Case], signal: np.ndarray, rounds: int) -> None:
    seconds: list[list[float]] = [[] for _ in cases]
    rates: list[list[float]] = [[] for _ in cases]
    for turn in range(rounds + 1):
        for i, case in enumerate(cases):
            requests = 20 if case.num_genes == 1 else 3
            each, together = seconds_a_request(case, signal[: case.num_genes], requests)
            if turn:  # the first one warms up
                seconds[i] += each
                rates[i].append(len(each) * case.num_genes / together)
    print(
        f"{'signature':<16} {'genes':>5} {'':<16} {'p50 ms':>8} {'p95':>8} {'p99':>8} "
        f"{'genes/s':>8} {'of direct':>9}"
    )
    direct: list[float] = []
    for case, each, rate in zip(cases, seconds, rates, strict=True):
        if case.where == "in this process":
            direct = rate
        p50, p95, p99 = 1e3 * np.percentile(each, (50, 95, 99))
        # Of the same turn, when the machine was as busy.
        share = np.median(np.divide(rate, direct))
        print(
            f"{case.signature:<16} {case.num_genes:>5} {case.where:<16} {p50:>8.2f} {p95:>8.2f} "
            f"{p99:>8.2f} {np.median(rate):>8.0f} {100 * share:>8.0f}%"
        )


if __name__ == "__main__":
    main()
