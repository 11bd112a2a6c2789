"""What the web page and the clients bear: many at once, and a server that goes and comes.

    python benchmarks/serving_load.py page       # 200 browsers, 1,000 idle connections, 20 uploads
    python benchmarks/serving_load.py faults     # 100,000 requests; kill -9, SIGTERM, version swaps

`page`: browsers of six connections each read the page and send genes, three times over, beside
connections that say nothing and uploads that drip. Every answer but the expected one is counted,
and how long the page's health takes is looked at all the while.

`faults`: threads ask through `serving.client`, each client for some requests, by the label
`stable`, which moves between two versions of other weights; the server is killed or terminated
again and again, and started anew on its port. Each answer is compared with that of the version that
the client was answered by.

Everything shares the machine's cores. Linux.
"""

import itertools
import os
import shutil
import signal as signals
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import numpy as np
from load_server import MODEL, Server, make_model, random_signal, serving
from machine import cpu_model

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

PATHS = ("/", "/theme.css", "/static/page.css", "/static/page.js", "/healthz", "/static/icon.svg")
REQUESTS_A_CLIENT = 200
TOLERANCE = 1e-5
DRIP = b"a" * 1000


@dataclass(frozen=True, kw_only=True)
class ServingLoadOptions:
    """How much."""

    what: Literal["page", "faults"] = option("to measure", positional=True)
    browsers: int = option("with six connections each", default=200)
    idle: int = option("connections that say nothing", default=1000)
    uploads: int = option("that drip", default=20)
    requests: int = option("through serving.client", default=100_000)
    threads: int = option("that ask", default=16)
    every_s: float = option("between two ends of the server", default=10.0)


@dataclass
class Seen:
    """What the clients of the page saw."""

    faults: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)


def measure_page(models_dir: Path, options: ServingLoadOptions) -> None:
    """Storm the web page, and print how it fared."""
    with serving(models_dir) as server, ExitStack() as open_:
        command = ("-m", "serving.web", "--target", server.target, "--models", MODEL, "--port", "0")
        page = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
        open_.callback(page.terminate)
        assert page.stdout
        port = int(page.stdout.readline().split("//")[1].split(" ")[0].split(":")[1].strip("/"))
        print(f"memory before: {_memory_mb(page.pid, 'VmRSS')} MB", flush=True)
        seen, ended = Seen(), threading.Event()
        held = [open_.enter_context(_connect(port)) for _ in range(options.idle)]
        dripping = [open_.enter_context(_connect(port)) for _ in range(options.uploads)]
        for connection in dripping:
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
        besides = [
            threading.Thread(target=work, args=(port, seen, ended, dripping))
            for work in (_drip, _ask_health)
        ]
        started_s = time.perf_counter()
        for thread in besides:
            thread.start()
        with ThreadPoolExecutor(options.browsers) as browsers:
            for _ in range(options.browsers):
                browsers.submit(_browse, port, seen)
        ended.set()
        for thread in besides:
            thread.join()
        seen.seconds.sort()
        print(
            f"{options.browsers} browsers of six connections, {len(held)} idle connections, "
            f"{len(dripping)} slow uploads: {len(seen.seconds)} requests in "
            f"{time.perf_counter() - started_s:.0f} s, {seen.faults.total()} not answered as "
            f"expected {dict(seen.faults)}; a request takes "
            f"{seen.seconds[len(seen.seconds) // 2]:.2f} s in the median, {seen.seconds[-1]:.1f} s "
            f"at most; health {max(seen.health_s):.2f} s at most of {len(seen.health_s)}; memory "
            f"{_memory_mb(page.pid, 'VmHWM')} MB at most"
        )


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def _browse(port: int, seen: Seen) -> None:
    genes = "\n".join(
        f"G{g},{b + 1},{b % 3},{b % 2},0,{b % 5},1" for g in (0, 1) for b in range(100)
    )
    form = urlencode({"model": MODEL, "source": "csv", "text": genes, "columns": ""})
    connections = [HTTPConnection("127.0.0.1", port, timeout=300) for _ in PATHS]
    for _ in range(3):
        for connection, path in zip(connections, PATHS, strict=True):
            _ask(connection, "GET", path, None, 200, seen)
        _ask(connections[0], "POST", "/predict", form, 303, seen)
    for connection in connections:
        connection.close()


def _ask(
    connection: HTTPConnection, method: str, path: str, form: str | None, wanted: int, seen: Seen
) -> None:
    started_s = time.perf_counter()
    headers = {"Host": "localhost", "Content-Type": "application/x-www-form-urlencoded"}
    # A connection that was kept may have ended meanwhile; browsers then open another.
    for is_last in (False, True):
        try:
            connection.request(method, path, form, headers)
            answer = connection.getresponse()
            answer.read()
        except (HTTPException, OSError) as error:
            connection.close()
            if is_last:
                seen.faults[type(error).__name__] += 1
            continue
        if answer.status != wanted:
            seen.faults[f"{path} {answer.status}"] += 1
        break
    seen.seconds.append(time.perf_counter() - started_s)


def _drip(_: int, __: Seen, ended: threading.Event, connections: list[socket.socket]) -> None:
    while not ended.wait(0.2):
        for connection in connections:
            with suppress(OSError):  # it took too long, and was told so
                connection.sendall(DRIP)


def _ask_health(port: int, seen: Seen, ended: threading.Event, _: list[socket.socket]) -> None:
    while not ended.wait(0.1):
        started_s = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        if connection.getresponse().status != 200:
            seen.faults["health"] += 1
        connection.close()
        seen.health_s.append(time.perf_counter() - started_s)


def _memory_mb(pid: int, key: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{key}:")[1].split()[0]) // 1024


def measure_faults(models_dir: Path, options: ServingLoadOptions) -> None:
    """Ask a server that ends again and again, and print what came of it."""
    from export import write_models_config
    from serving.client import Client

    signal = random_signal(4)
    folder = models_dir.parent
    other = make_model(folder / "other", "attentive_chrome") / MODEL
    shutil.move(other / "1", models_dir / MODEL / "2")
    write_models_config(models_dir, {MODEL: {"stable": 1}})
    with socket.create_server(("127.0.0.1", 0)) as any_port:
        port = any_port.getsockname()[1]
    server = Server(models_dir, port=port)
    expected = {}
    for version in (1, 2):
        with Client(server.target, MODEL, version=version) as client:
            expected[version] = client.predict(signal).probability
    assert not np.allclose(expected[1], expected[2], atol=TOLERANCE)
    counts, ended = Counter[str](), threading.Event()
    left = itertools.count(options.requests, -REQUESTS_A_CLIENT)

    def ask_again_and_again() -> None:
        while next(left) > 0:
            target, done = f"127.0.0.1:{port}", 0
            try:
                with Client(target, MODEL, label="stable", timeout_s=120) as client:
                    for _ in range(REQUESTS_A_CLIENT):
                        answer = client.predict(signal).probability
                        wanted = expected[client.description.version]
                        is_right = np.allclose(answer, wanted, atol=TOLERANCE)
                        counts["right" if is_right else "wrong"] += 1
                        done += 1
            except Exception as error:
                counts["lost"] += REQUESTS_A_CLIENT - done
                print(f"lost: {error}", flush=True)

    def move_labels() -> None:
        for stable in itertools.cycle((2, 1)):
            if ended.wait(options.every_s / 4):
                return
            write_models_config(models_dir, {MODEL: {"stable": stable}})
            counts["version swaps"] += 1

    mover = threading.Thread(target=move_labels)
    mover.start()
    started_s = time.perf_counter()
    with ThreadPoolExecutor(options.threads) as threads:
        asking = [threads.submit(ask_again_and_again) for _ in range(options.threads)]
        for number in itertools.cycle((signals.SIGKILL, signals.SIGTERM)):
            if _wait(options.every_s, lambda: all(future.done() for future in asking)):
                break
            server.close(number)
            counts[number.name] += 1
            server = Server(models_dir, port=port)
    ended.set()
    mover.join()
    memory_mb = server.memory_mb()
    server.close()
    print(
        f"{options.requests} requests of {len(signal)} genes, {options.threads} threads, "
        f"{time.perf_counter() - started_s:.0f} s: {dict(sorted(counts.items()))}; "
        f"{counts['wrong']} wrong, {counts['lost']} lost; memory of the last server "
        f"{memory_mb:.0f} MB"
    )


def _wait(seconds: float, is_done: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.05)
    return True


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        ServingLoadOptions,
        argv,
        prog="python benchmarks/serving_load.py",
        description="Storm the web page, or let the server of clients end again and again.",
    )
    measure = {"page": measure_page, "faults": measure_faults}[options.what]
    print(f"{cpu_model()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        measure(make_model(Path(folder), "attentive_chrome"), options)


if __name__ == "__main__":
    run_command(main, InputError)
