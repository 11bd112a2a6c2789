"""What the clients send, and what they do when a server refuses or is away."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
from free_ports import free_ports
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.client import Client
from serving.errors import InputError, ServerError
from serving.local import LocalServer
from serving.retries import Backoff
from serving.stand_in.batching import BatchingParameters

pytestmark = pytest.mark.serving
OpenClient = Callable[..., Any]


class Proxy(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Passes requests on to the stand-in, counts them, and refuses when told."""

    def __init__(self, target: str) -> None:
        self.refusals: list[tuple[grpc.StatusCode, str]] = []
        self.genes_asked: list[int] = []
        self.versions_asked: list[tuple[str, int, str]] = []
        self._channel = grpc.insecure_channel(target, [("grpc.max_receive_message_length", -1)])
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if self.refusals:
            context.abort(*self.refusals.pop())
        spec = request.model_spec
        self.versions_asked.append((spec.signature_name, spec.version.value, spec.version_label))
        if "signal" in request.inputs:
            self.genes_asked.append(request.inputs["signal"].tensor_shape.dim[0].size)
        return self._stub.Predict(request)


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[tuple[Proxy, str]]:
    proxy = Proxy(server.target)
    server_ = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(proxy, server_)
    port = server_.add_insecure_port("127.0.0.1:0")
    server_.start()
    yield proxy, f"127.0.0.1:{port}"
    server_.stop(None).wait()


# A first pause of next to nothing.
AT_ONCE = Backoff(initial_s=0.001)


def test_sends_large_inputs_in_batches(proxy: tuple[Proxy, str], signal: np.ndarray) -> None:
    with Client(proxy[1], "tiny", batch_size=3) as client:
        client.predict(signal)
        client.predict(signal[:2])
    assert sorted(proxy[0].genes_asked) == [1, 2, 3, 3]


def test_label_is_asked_once_and_its_version_from_then_on(
    proxy: tuple[Proxy, str], signal: np.ndarray
) -> None:
    with Client(proxy[1], "tiny", label="stable") as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.predict(signal), range(8)))
    assert proxy[0].versions_asked.count(("describe", 0, "stable")) == 1
    assert proxy[0].versions_asked.count(("serving_default", 3, "")) == 8


def test_keeps_requests_and_answers_under_the_limit(proxy: tuple[Proxy, str]) -> None:
    signal = np.ones((40, 8, 5), np.float32)
    with Client(proxy[1], "tiny", max_message_bytes=4096 + 1900) as client:
        assert len(client.predict(signal).probability) == 40
        assert len(client.saliency(signal).probability) == 40
    # A gene takes 4 * (2 * 8 * 5 + 5 + 1) = 344 bytes, if the model is additive.
    assert proxy[0].genes_asked == [5] * 8 * 2


def test_needs_room_for_one_gene(open_client: OpenClient) -> None:
    with (
        open_client("tiny", max_message_bytes=4096) as client,
        pytest.raises(InputError, match=r"Expected room for one gene, (4440|6848) bytes"),
    ):
        client.predict(np.ones((1, 8, 5), np.float32))


def test_raises_grpcs_own_limit(server: LocalServer) -> None:
    signal = np.ones((30_000, 8, 5), np.float32)
    with Client(server.target, "tiny", batch_size=len(signal)) as client:
        prediction = client.predict(signal)
    assert prediction.alpha is not None
    assert prediction.alpha.nbytes > 4 * 2**20


# === Faults of the server ===


@pytest.mark.parametrize("num_genes", [1, 4000])
@pytest.mark.parametrize(
    "refusal",
    [
        (grpc.StatusCode.UNAVAILABLE, "restarting"),
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "Tensors with name 'signal:0' from different tasks have different shapes",
        ),
    ],
)
def test_asks_again_while_the_server_is_unavailable(
    proxy: tuple[Proxy, str],
    num_genes: int,
    refusal: tuple[grpc.StatusCode, str],
) -> None:
    """Oftener than gRPC does, and with more than it buffers for that, 256 KiB."""
    with Client(proxy[1], "tiny", batch_size=4000, backoff=AT_ONCE) as client:
        assert client.description
        proxy[0].refusals = [refusal] * 7
        assert len(client.predict(np.ones((num_genes, 8, 5), np.float32)).probability) == num_genes
    assert proxy[0].refusals == []
    assert proxy[0].genes_asked == [num_genes]


@pytest.mark.parametrize(
    "refusal",
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 8)"),
        (grpc.StatusCode.INTERNAL, "broken"),
    ],
)
def test_what_will_not_pass_fails_at_once(
    proxy: tuple[Proxy, str], signal: np.ndarray, refusal: tuple[grpc.StatusCode, str]
) -> None:
    with Client(proxy[1], "tiny", backoff=AT_ONCE) as client:
        assert client.description
        proxy[0].refusals = [refusal] * 2
        with pytest.raises(ServerError, match=f"Received: {refusal[0].name}: {refusal[1][:9]}"):
            client.predict(signal)
    assert len(proxy[0].refusals) == 1


def test_one_fault_ends_a_stream(proxy: tuple[Proxy, str], signal: np.ndarray) -> None:
    with Client(proxy[1], "tiny", batch_size=1) as client:
        assert client.description
        proxy[0].refusals = [(grpc.StatusCode.INTERNAL, "broken")]
        with pytest.raises(ServerError, match="INTERNAL: broken"):
            client.predict(signal)


@pytest.fixture(scope="module")
def narrow_server(models_dir: Path) -> Iterator[LocalServer]:
    """Takes one request at a time, and has room for one more."""
    batching = BatchingParameters(max_batch_size=7, max_enqueued_batches=1, num_batch_threads=1)
    with LocalServer(models_dir, rest_port=0, batching=batching) as server:
        yield server


def test_a_full_queue_delays_a_stream(
    narrow_server: LocalServer, open_client: OpenClient, signal: np.ndarray
) -> None:
    """The stand-in's own refusal, of some of six requests that come at a time."""
    options = {"batch_size": 7, "concurrency": 6, "backoff": AT_ONCE}
    with open_client("tiny", at=narrow_server, **options) as client:
        assert len(client.predict(np.tile(signal, (20, 1, 1))).probability) == 140


def test_finds_a_server_that_went_away_and_came_back(
    quick_models_dir: Path, open_client: OpenClient, signal: np.ndarray
) -> None:
    grpc_port, rest_port = free_ports(2)
    ports = {"port": grpc_port, "rest_port": rest_port}
    with LocalServer(quick_models_dir, **ports) as server:
        client = open_client("tiny", at=server, timeout_s=60)
        assert client.description.version == 12
    with client, ThreadPoolExecutor(1) as pool:
        away = pool.submit(time.sleep, 1.5)
        answer = pool.submit(lambda: LocalServer(quick_models_dir, **ports))
        prediction = client.predict(signal)
        assert away.done()
        answer.result().close()
    assert len(prediction.probability) == 7


def test_knocks_at_least_once_a_second(server: LocalServer) -> None:
    """By then gRPC by itself would let four seconds pass between two attempts to connect."""
    (port,) = free_ports(1)
    late = grpc.server(ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Proxy(server.target), late)

    def come_late() -> None:
        time.sleep(6.4)
        late.add_insecure_port(f"127.0.0.1:{port}")
        late.start()

    thread = threading.Thread(target=come_late)
    thread.start()
    # Pauses of our own would hide those of the connection.
    backoff = Backoff(max_s=0.2)
    with Client(f"127.0.0.1:{port}", "tiny", timeout_s=8.9, backoff=backoff) as client:
        assert client.description.version == 12
    thread.join()
    late.stop(None).wait()


def at(port: int) -> SimpleNamespace:
    """Where a server would be, as `open_client` takes it."""
    target = f"127.0.0.1:{port}"
    return SimpleNamespace(target=target, rest_url=f"http://{target}")


def test_gives_up_on_a_server_that_stays_away(open_client: OpenClient) -> None:
    (port,) = free_ports(1)
    with (
        open_client("tiny", at=at(port), timeout_s=0.5) as client,
        pytest.raises(ServerError, match=r"UNAVAILABLE.*refused.*Is the server run") as caught,
    ):
        client.status()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_says_when_the_time_is_up(open_client: OpenClient, signal: np.ndarray) -> None:
    # It takes connections and says nothing, however quick the machine.
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        open_client("tiny", at=at(silent.getsockname()[1]), timeout_s=0.2) as client,
        pytest.raises(ServerError, match=r"DEADLINE_EXCEEDED.*timeout_s"),
    ):
        client.predict(signal)


@pytest.mark.parametrize(
    ("name", "version", "code", "message"),
    [
        ("none", None, "NOT_FOUND", r"Servable not found for request: Latest\(none\)"),
        ("tiny", 4, "NOT_FOUND", r"Servable not found for request: Specific\(tiny, 4\)"),
        ("foreign", None, "FAILED_PRECONDITION", "Expected a model that describes itself"),
    ],
)
def test_says_what_the_server_refuses(
    open_client: OpenClient,
    kind: str,
    signal: np.ndarray,
    name: str,
    version: int | None,
    code: str,
    message: str,
) -> None:
    with (
        open_client(name, version) as client,
        pytest.raises(ServerError, match=message) as caught,
    ):
        client.predict(signal)
    # HTTP has one status for both.
    rest_code = "INVALID_ARGUMENT" if code == "FAILED_PRECONDITION" else code
    assert caught.value.code.name == (rest_code if kind == "rest" else code)
