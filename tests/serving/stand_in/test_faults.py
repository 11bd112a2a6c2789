"""What goes wrong around a server: it says so with the right code, and goes on answering."""

import os
import signal as signals
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from asking import Asking, predict_request, wait_until
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.local import LocalServer
from serving.stand_in.batching import BatchingParameters

pytestmark = pytest.mark.serving
ONE_AT_A_TIME = BatchingParameters(num_batch_threads=1, max_batch_size=4, max_enqueued_batches=1)


@pytest.fixture
def server(slow_models_dir: Path) -> Iterator[LocalServer]:
    # Its loop is no operation of ours.
    with LocalServer(
        slow_models_dir, rest_port=0, batching=ONE_AT_A_TIME, allow_unsafe_ops=True
    ) as server:
        yield server


@pytest.fixture
def asking(server: LocalServer) -> Iterator[Asking]:
    with Asking(server.target) as asking:
        yield asking


def still_answers(server: LocalServer) -> bool:
    with Asking(server.target) as asking:
        return bool(asking.answer("slow", 0.0) == [0])


def num_waiting(server: LocalServer) -> int:
    return server._batcher.num_waiting


def test_a_full_queue_refuses_at_once(server: LocalServer, asking: Asking) -> None:
    with ThreadPoolExecutor(8) as threads:
        # One runs, four wait, the others have no room.
        first = threads.submit(asking.answer, "slow", 0.5)
        wait_until(lambda: server._batcher._num_idle == 0)
        futures = [threads.submit(asking.answer, "slow", 0.01 * n) for n in range(7)]
        errors = [future.exception() for future in futures]
    refused = [error for error in errors if error is not None]
    assert len(refused) == 3
    for error in refused:
        assert isinstance(error, grpc.RpcError)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "queue" in error.details()
    assert first.result() == [0.5]
    for number, future in enumerate(futures):
        if future.exception() is None:
            assert future.result() == [np.float32(0.01 * number)]
    assert still_answers(server)


def test_a_deadline_is_kept_and_what_is_late_is_not_run(
    server: LocalServer, asking: Asking
) -> None:
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(asking.answer, "slow", 0.6)
        wait_until(lambda: server._batcher._num_idle == 0)
        code, _ = asking.fails(lambda: asking.answer("slow", 30.0, timeout_s=0.2))
        assert code == "DEADLINE_EXCEEDED"
        # It would have held up this one for half a minute.
        assert asking.answer("slow", 0.0) == [0]
        assert first.result() == [np.float32(0.6)]


def test_a_client_that_goes_away_takes_its_request_along(
    server: LocalServer, asking: Asking
) -> None:
    with Asking(server.target) as leaving:
        running = asking.predictions.Predict.future(predict_request("slow", x=[0.5]))
        wait_until(lambda: server._batcher._num_idle == 0)
        left = leaving.predictions.Predict.future(predict_request("slow", x=[30.0]))
        wait_until(lambda: num_waiting(server) == 1)
    # Its connection is closed, in the middle of a request.
    assert asking.answer("slow", 0.25) == [0.25]
    assert running.result().outputs
    assert left.cancelled() or left.exception()
    assert num_waiting(server) == 0


def test_clients_that_send_nothing_or_half_hold_up_nobody(server: LocalServer) -> None:
    host, port = server.target.split(":")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    # Settings, then a frame of headers that claims 16 kB and brings three bytes.
    begun = preface + b"\0\0\0\4\0\0\0\0\0" + b"\0\x40\0\1\4\0\0\0\1" + b"abc"
    connections = []
    for number in range(50):
        connection = socket.create_connection((host, int(port)))
        connections.append(connection)
        connection.sendall([b"", preface[:7], preface, begun][number % 4])
    assert still_answers(server)
    for connection in connections:
        connection.close()
    assert still_answers(server)


def test_a_client_that_reads_slowly_holds_up_nobody(quick_models_dir: Path) -> None:
    batching = BatchingParameters(max_batch_size=50_000)
    with LocalServer(quick_models_dir, batching=batching) as server:
        host, port = server.target.split(":")
        # A relay that passes on what the client says, and the answer a few bytes at a time.
        relay = socket.create_server(("127.0.0.1", 0))
        ended = threading.Event()

        def pass_on(source: socket.socket, sink: socket.socket, is_slow: bool) -> None:
            while not ended.is_set() and (chunk := source.recv(64 if is_slow else 65536)):
                sink.sendall(chunk)
                if is_slow:
                    time.sleep(0.01)

        def serve() -> None:
            client, _ = relay.accept()
            upstream = socket.create_connection((host, int(port)))
            with client, upstream:
                forward = threading.Thread(target=pass_on, args=(client, upstream, False))
                forward.start()
                pass_on(upstream, client, True)
                forward.join()

        thread = threading.Thread(target=serve)
        thread.start()
        # Its answer is a megabyte, for which the slow way takes minutes.
        genes = predict_request("tiny", signal=np.ones((8000, 8, 5)))
        with Asking(f"127.0.0.1:{relay.getsockname()[1]}") as slow, Asking(server.target) as quick:
            waiting = slow.predictions.Predict.future(genes)
            for _ in range(20):
                one = predict_request("tiny", signal=np.ones((1, 8, 5)))
                assert quick.predictions.Predict(one, timeout=60).outputs
            assert not waiting.done()
            waiting.cancel()
        ended.set()
        thread.join()
        relay.close()


def test_a_message_of_200_mb_is_refused(server: LocalServer) -> None:
    request = predict_request("slow", x=[0.0])
    request.inputs["x"].tensor_content = bytes(200 * 2**20)
    with Asking(server.target, max_send_message_length=-1) as asking:
        code, text = asking.fails(lambda: asking.predictions.Predict(request))
        assert code == "RESOURCE_EXHAUSTED"
        assert "larger than max" in text
        assert asking.answer("slow", 0.0) == [0]


def test_a_small_message_that_claims_to_be_huge_is_refused(asking: Asking) -> None:
    request = predict_request("slow", x=[0.0])
    request.inputs["x"].tensor_shape.dim[0].size = 10**13
    code, text = asking.fails(lambda: asking.predictions.Predict(request))
    assert (code, text) == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_a_small_request_is_not_answered_with_gigabytes(models_dir: Path) -> None:
    """Of `describe`, each number is answered with a whole text."""
    request = predict_request("tiny", query=[0.0])
    request.model_spec.signature_name = "describe"
    for _ in range(3):
        request.inputs["query"].tensor_shape.dim.add(size=200)
    with LocalServer(models_dir) as server, Asking(server.target) as asking:
        code, text = asking.fails(lambda: asking.predictions.Predict(request))
        assert (code, "is not compatible with expected shape [?]" in text) == (
            "INVALID_ARGUMENT",
            True,
        )
        request.inputs["query"].tensor_shape.ClearField("dim")
        request.inputs["query"].tensor_shape.dim.add(size=257)
        code, text = asking.fails(lambda: asking.predictions.Predict(request))
        assert text == "Task size 257 is larger than maximum input batch size 256"


def is_serving(target: str) -> bool:
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            status = stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status
        except grpc.RpcError:
            return False
        return status == health_pb2.HealthCheckResponse.SERVING


def test_tells_its_health(server: LocalServer) -> None:
    assert is_serving(server.target)


class Process:
    """The command, in a process of its own."""

    def __init__(self, models_dir: Path, *options: str, port: int = 0) -> None:
        where = ("--models-dir", models_dir, "--port", port)
        command = (sys.executable, "-m", "serving.local", *where, *options)
        self._process = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        said = self._process.stdout.readline()
        assert " on " in said, self._process.communicate()
        self.target = said.split(" on ")[1].split(": ")[0]
        self.port = int(self.target.rpartition(":")[2])

    def end(self, number: int) -> tuple[int, str]:
        """Exit status, and what it said after a signal."""
        os.kill(self._process.pid, number)
        output, errors = self._process.communicate(timeout=60)
        return self._process.returncode, output + errors


@pytest.mark.slow
def test_what_is_under_way_is_answered_before_the_end(slow_models_dir: Path) -> None:
    server = Process(slow_models_dir, "--allow-unsafe-ops")
    with Asking(server.target) as asking, ThreadPoolExecutor(2) as threads:
        assert asking.answer("slow", 0.0) == [0]
        running = asking.predictions.Predict.future(predict_request("slow", x=[1.0]))
        time.sleep(0.3)
        ending = threads.submit(server.end, signals.SIGTERM)
        wait_until(lambda: not is_serving(server.target))
        assert running.result().outputs
        assert ending.result() == (0, "")


@pytest.mark.slow
def test_clients_of_a_server_that_ends_are_told_to_ask_again(quick_models_dir: Path) -> None:
    """Nobody reads that the own request was cancelled."""
    server = Process(quick_models_dir)
    request = predict_request("tiny", signal=np.ones((1, 8, 5)))
    codes: list[str] = []

    def ask_until_refused() -> None:
        with Asking(server.target) as asking:
            while True:
                try:
                    asking.predictions.Predict(request, timeout=60)
                except grpc.RpcError as error:
                    codes.append(error.code().name)
                    return

    with ThreadPoolExecutor(32) as threads:
        futures = [threads.submit(ask_until_refused) for _ in range(32)]
        time.sleep(1)
        assert server.end(signals.SIGTERM) == (0, "")
        for future in futures:
            future.result()
    assert codes == ["UNAVAILABLE"] * 32


@pytest.mark.slow
def test_what_takes_too_long_is_refused_at_the_end(slow_models_dir: Path) -> None:
    server = Process(slow_models_dir, "--allow-unsafe-ops", "--grace-s", "0.2")
    with Asking(server.target) as asking, ThreadPoolExecutor(1) as threads:
        running = asking.predictions.Predict.future(predict_request("slow", x=[5.0]))
        time.sleep(0.5)
        ending = threads.submit(server.end, signals.SIGTERM)
        code, words = asking.fails(running.result)
        assert (code, words) == ("UNAVAILABLE", "Server is shutting down")
        assert ending.result() == (0, "")


@pytest.mark.slow
def test_clients_get_right_answers_or_errors_when_the_server_is_killed(
    quick_models_dir: Path, signal: np.ndarray
) -> None:
    from serving.client import Client
    from serving.errors import ServerError

    server = Process(quick_models_dir)
    with Client(server.target, "tiny") as client:
        expected = client.predict(signal).probability
    answers: list[np.ndarray] = []
    errors: list[Exception] = []
    ended = threading.Event()

    def ask_again_and_again() -> None:
        with Client(server.target, "tiny", timeout_s=120) as client:
            while not ended.is_set():
                try:
                    answers.append(client.predict(signal).probability)
                except ServerError as error:
                    errors.append(error)

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(ask_again_and_again) for _ in range(4)]
        for number in range(3):
            enough = len(answers) + 50
            wait_until(lambda enough=enough: len(answers) > enough)
            if number < 2:
                server.end(signals.SIGKILL)
                server = Process(quick_models_dir, port=server.port)
        ended.set()
        for future in futures:
            future.result()
    server.end(signals.SIGTERM)
    for answer in answers:
        np.testing.assert_allclose(answer, expected, atol=1e-6)
    # The server was back within the deadline: nobody need have noticed.
    assert not errors
