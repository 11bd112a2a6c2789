"""Load on an exported model: the local stand-in for TensorFlow Serving, asked by many at once.

Clients of `grpc.aio` each send a request, wait for its answer, and send the next, for some seconds.
Between two such turns the same SavedModel is called in this process, without a server, so that both
meet the machine in the same mood. Then come cold starts with and without warm-up requests, and a
hundred thousand requests of which each answer is compared with the model's own.

    python benchmarks/load.py --out docs/load.md      # and docs/load.json, with all figures
    python benchmarks/load.py --tune                  # only: which batching parameters are best

The model is freshly built with random weights, on which speed does not depend. Clients and server
share the machine's cores.
"""

import argparse
import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
from machine import cpu_model

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

MARKS, NUM_BINS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"), 100
METHOD = "/tensorflow.serving.PredictionService/Predict"
MODEL = "load"
# How far an answer out of a batch may lie from one alone: rounding.
TOLERANCE = 1e-5
BATCHING = {
    "max_batch_size": (64, 256, 1024),
    "batch_timeout_micros": (0, 1000, 3000),
    "num_batch_threads": (1, 2, 4),
}


class Case(NamedTuple):
    """So many clients at once, each asking for so many genes at a time."""

    signature: str
    num_clients: int
    num_genes: int


class Turn(NamedTuple):
    """What came of a case: seconds that each request took, and all of them together."""

    request_s: list[float]
    total_s: float

    def genes_per_second(self, num_genes: int) -> float:
        """Throughput of all clients together."""
        return len(self.request_s) * num_genes / self.total_s


def make_model(folder: Path, variant: str) -> Path:
    """Export a model with random weights; returns the folder of models."""
    from export import export_run
    from keras_chrome.models import build_model
    from keras_chrome.runs import new_run

    about = {"marks": list(MARKS), "num_bins": NUM_BINS, "transform": "log1p"}
    run_parts = {"options": {"labels": "median"}, "model": {"variant": variant, **about}}
    bins = {"num_bins": NUM_BINS, "bin_bp": 100, "flank_bp": 50 * NUM_BINS}
    with new_run(folder / "run", **run_parts, dataset=bins) as run:
        run.save_model(build_model(variant, **about))
    export_run(run.path, folder / "models", MODEL)
    return folder / "models"


def random_signal(num_genes: int) -> np.ndarray:
    signal = np.random.default_rng(0).negative_binomial(1, 0.2, (num_genes, NUM_BINS, len(MARKS)))
    return signal.astype(np.float32)


class Server:
    """`python -m serving.local` in a process of its own."""

    def __init__(self, models_dir: Path, batching: dict[str, int] | None = None) -> None:
        command = [
            sys.executable,
            "-m",
            "serving.local",
            "--models",
            str(models_dir),
            "--port",
            "0",
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

    def close(self) -> None:
        """End it as an operator would."""
        self._process.terminate()
        self._process.communicate()


@contextmanager
def serving(models_dir: Path, batching: dict[str, int] | None = None) -> Iterator[Server]:
    server = Server(models_dir, batching)
    try:
        yield server
    finally:
        server.close()


def request_bytes(signature: str, signal: np.ndarray) -> bytes:
    from tensorflow_serving.apis import predict_pb2

    from serving.tensors import to_request

    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.model_spec.signature_name = signature
    request.inputs["signal"].CopyFrom(to_request(signal))
    return request.SerializeToString()


def open_channel(target: str) -> grpc.aio.Channel:
    # Each client has a connection of its own, as clients on other machines would.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    return grpc.aio.insecure_channel(target, options=options)


async def ask_for(target: str, case: Case, seconds: float) -> Turn:
    """All clients of a case, each for some seconds."""
    content = request_bytes(case.signature, random_signal(case.num_genes))
    request_s: list[float] = []

    async def client() -> None:
        async with open_channel(target) as channel:
            call = channel.unary_unary(METHOD)
            await call(content)  # connects
            ready.append(True)
            while len(ready) < case.num_clients:
                await asyncio.sleep(0.001)
            end_s = time.perf_counter() + seconds
            while (begun_s := time.perf_counter()) < end_s:
                await call(content)
                request_s.append(time.perf_counter() - begun_s)

    ready: list[bool] = []
    begun_s = time.perf_counter()
    clients = [asyncio.create_task(client()) for _ in range(case.num_clients)]
    while len(ready) < case.num_clients:
        await asyncio.sleep(0.001)
        begun_s = time.perf_counter()
        for task in clients:
            if task.done():
                task.result()
    await asyncio.gather(*clients)
    return Turn(request_s, time.perf_counter() - begun_s)


def call_for(signatures: Any, case: Case, seconds: float) -> Turn:
    """The same without a server."""
    import tensorflow as tf

    function, signal = signatures[case.signature], random_signal(case.num_genes)
    request_s: list[float] = []
    start_s = time.perf_counter()
    while (begun_s := time.perf_counter()) < start_s + seconds:
        for value in function(signal=tf.constant(signal)).values():
            value.numpy()
        request_s.append(time.perf_counter() - begun_s)
    return Turn(request_s, time.perf_counter() - start_s)


def percentiles_ms(request_s: Sequence[float]) -> dict[str, float]:
    return {f"p{p}_ms": round(1e3 * float(np.percentile(request_s, p)), 2) for p in (50, 95, 99)}


def measure_load(models_dir: Path, cases: Sequence[Case], rounds: int, seconds: float) -> list[Any]:
    """Every case and its direct call in turns; the medians over the rounds."""
    import tensorflow as tf

    signatures = tf.saved_model.load(str(models_dir / MODEL / "1")).signatures
    turns: dict[Case, list[tuple[Turn, Turn]]] = {case: [] for case in cases}
    with serving(models_dir) as server:
        for number in range(rounds + 1):
            for case in cases:
                direct = call_for(signatures, case, seconds)
                served = asyncio.run(ask_for(server.target, case, seconds))
                if number:  # the first round warms up
                    turns[case].append((direct, served))
    rows = []
    for case, pairs in turns.items():
        rates = [[turn.genes_per_second(case.num_genes) for turn in pair] for pair in pairs]
        rows.append(
            {
                **case._asdict(),
                "genes_per_second": round(statistics.median(served for _, served in rates)),
                "direct_genes_per_second": round(statistics.median(d for d, _ in rates)),
                # Of the same round, when the machine was as busy.
                "of_direct": round(statistics.median(s / d for d, s in rates), 3),
                **percentiles_ms([s for _, served in pairs for s in served.request_s]),
                "direct_p50_ms": percentiles_ms([s for d, _ in pairs for s in d.request_s])[
                    "p50_ms"
                ],
            }
        )
        print_row(rows[-1])
    return rows


def print_row(row: dict[str, Any]) -> None:
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def measure_cold_starts(models_dir: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds from the start of a server to its first answer, with and without warm-up."""
    cold_dir = models_dir.parent / "without-warmup"
    shutil.copytree(models_dir, cold_dir)
    shutil.rmtree(cold_dir / MODEL / "1/assets.extra")
    seconds: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    for _ in range(repeats):
        for name, folder in (("with", models_dir), ("without", cold_dir)):
            with serving(folder) as server:
                ready_s = time.perf_counter()
                asyncio.run(ask_once(server.target))
                answered_s = time.perf_counter()
                seconds[name].append((answered_s - server.started_s, answered_s - ready_s))
    results = {
        name: {
            "start_to_answer_s": round(statistics.median(total for total, _ in pairs), 2),
            "first_request_ms": round(1e3 * statistics.median(first for _, first in pairs), 1),
        }
        for name, pairs in seconds.items()
    }
    for name, result in results.items():
        print_row({"cold start": f"{name} warm-up", **result})
    return results


async def ask_once(target: str) -> None:
    async with open_channel(target) as channel:
        await channel.unary_unary(METHOD)(request_bytes("serving_default", random_signal(1)))


def check_answers(models_dir: Path, num_requests: int, num_clients: int) -> dict[str, Any]:
    """Compare every answer with the model's own; watch the memory of the server."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    from serving.tensors import to_array

    signal = random_signal(1024)
    function = tf.saved_model.load(str(models_dir / MODEL / "1")).signatures["predict"]
    expected = function(signal=tf.constant(signal))["probability"].numpy()
    contents = [request_bytes("predict", signal[i : i + 1]) for i in range(len(signal))]
    numbers = iter(range(num_requests))
    largest, wrong, received = 0.0, 0, 0
    memory_mb: dict[int, float] = {}

    async def client(server: Server) -> None:
        nonlocal largest, wrong, received
        async with open_channel(server.target) as channel:
            call = channel.unary_unary(METHOD)
            for number in numbers:
                gene = number * 7919 % len(signal)  # neighbours in a batch differ
                response = predict_pb2.PredictResponse.FromString(await call(contents[gene]))
                answer = to_array(response.outputs["probability"])
                difference = abs(float(answer[0]) - float(expected[gene]))
                largest = max(largest, difference)
                wrong += answer.shape != (1,) or not difference <= TOLERANCE
                received += 1
                if received in (1000, num_requests):
                    memory_mb[received] = server.memory_mb()

    async def all_clients(server: Server) -> None:
        await asyncio.gather(*(client(server) for _ in range(num_clients)))

    with serving(models_dir) as server:
        begun_s = time.perf_counter()
        asyncio.run(all_clients(server))
        seconds = time.perf_counter() - begun_s
    result = {
        "num_requests": num_requests,
        "num_clients": num_clients,
        "answers": received,
        "wrong": wrong,
        "largest_difference": largest,
        "requests_per_second": round(num_requests / seconds),
        "memory_mb": {str(key): round(value) for key, value in memory_mb.items()},
    }
    print_row(result)
    return result


def tune(models_dir: Path, seconds: float) -> list[dict[str, Any]]:
    """Single genes and requests of 64 under many clients, for each setting of batching."""
    cases = (Case("serving_default", 1, 1), Case("serving_default", 64, 1),
             Case("serving_default", 8, 64))  # fmt: skip
    rows = []
    for values in itertools.product(*BATCHING.values()):
        batching = dict(zip(BATCHING, values, strict=True))
        row: dict[str, Any] = dict(batching)
        with serving(models_dir, batching) as server:
            for case in cases:
                asyncio.run(ask_for(server.target, case, seconds / 4))
                turn = asyncio.run(ask_for(server.target, case, seconds))
                name = f"{case.num_clients}x{case.num_genes}"
                row[f"{name} genes/s"] = round(turn.genes_per_second(case.num_genes))
                row[f"{name} p50 ms"] = percentiles_ms(turn.request_s)["p50_ms"]
                row[f"{name} p99 ms"] = percentiles_ms(turn.request_s)["p99_ms"]
        rows.append(row)
        print_row(row)
    return rows


def to_markdown(results: dict[str, Any]) -> str:
    """Tables of what was measured; of a run with `--tune`, its only one."""
    versions = ", ".join(f"{name} {text}" for name, text in results["versions"].items())
    is_tuning = "batching" in results
    parts = [
        "# Batching parameters of the local stand-in"
        if is_tuning
        else "# Load on the local stand-in",
        f"{results['date']}, {results['cpu']}, {results['cores']} cores shared by server and "
        f"clients; `{results['variant']}`, {versions}. `{results['command']}`",
    ]
    if is_tuning:
        parts.append("64x1: 64 clients that ask for one gene at a time; so with the others.")
        return "\n\n".join([*parts, _table(results["batching"])]) + "\n"
    of_direct = "of_direct: throughput as a share of calling the model in a process without server"
    answers = dict(results["answers"])
    first, last = answers.pop("memory_mb").values()
    starts = [{"warm-up": name, **start} for name, start in results["cold_start"].items()]
    parts += [
        _table(results["load"]),
        f"{of_direct}, in the same round; medians of {results['rounds']} rounds.",
        "## Cold start",
        _table(starts),
        "## Every answer compared",
        _table([answers]),
        f"Memory of the server: {first} MB after 1,000 requests, {last} MB after "
        f"{answers['num_requests']:,}.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put load on an exported model.")
    parser.add_argument("--variant", default="attentive_chrome", help="of the model (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="a turn (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each case (%(default)s)")
    parser.add_argument("--requests", type=int, default=100_000, help="compared (%(default)s)")
    parser.add_argument("--tune", action="store_true", help="only try settings of batching")
    parser.add_argument("--out", metavar="FILE.md", help="also write tables, and JSON beside")
    options = parser.parse_args()
    signatures = ("predict", "serving_default")
    with tempfile.TemporaryDirectory() as folder:
        models_dir = make_model(Path(folder), options.variant)
        results: dict[str, Any] = {
            "variant": options.variant,
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "date": date.today().isoformat(),
            "command": " ".join(["python", *sys.argv]),
            "rounds": options.rounds,
            "versions": {name: version(name) for name in ("tensorflow", "grpcio", "numpy")},
        }
        if options.tune:
            results["batching"] = tune(models_dir, options.seconds)
        else:
            cases = [Case(*case) for case in itertools.product(signatures, (1, 8, 64), (1, 64))]
            results["load"] = measure_load(models_dir, cases, options.rounds, options.seconds)
            results["cold_start"] = measure_cold_starts(models_dir, options.rounds)
            results["answers"] = check_answers(models_dir, options.requests, num_clients=32)
    if options.out:
        out = Path(options.out)
        out.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")
        out.write_text(to_markdown(results))


if __name__ == "__main__":
    main()
