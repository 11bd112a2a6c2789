"""What Prometheus reads, under the names and labels that TensorFlow Serving uses.

TensorFlow Serving's counters lack the ending `_total`, which the Prometheus client puts on every
counter; so they are gauges here that only rise.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import grpc
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from starlette.requests import ClientDisconnect

from serving.models_config import CONTAINER_MODELS
from serving.stand_in.servable import RequestError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = ":tensorflow:serving:"
# Microseconds: from 0.1 ms, each 1.8 times the one before, as TensorFlow Serving's are.
_MICROSECONDS = [round(100 * 1.8**n) for n in range(23)]
_SIZES = [2**n for n in range(12)]


class Metrics:
    """The counts of one server.

    Args:
        available: Tells which versions answer, for each model's name.
    """

    def __init__(self, available: Callable[[], dict[str, list[int]]]) -> None:
        self._registry = CollectorRegistry()
        self._available = available
        self._requests = Gauge(
            f"{_PREFIX}request_count",
            "Requests for predictions, by how they ended.",
            ("model_name", "status"),
            registry=self._registry,
        )
        self._latency = self._histogram(
            "request_latency",
            "Microseconds from a request to its answer, of those that succeed.",
            ("model_name", "API", "entrypoint"),
        )
        self._run = self._histogram("runtime_latency", "Microseconds that the graph ran.")
        self._wait = self._histogram(
            "batching_session:queuing_latency", "Microseconds that a request waited for others."
        )
        self._batch_size = Histogram(
            f"{_PREFIX}batching_session:batch_size",
            "Genes (rows) in a batch.",
            buckets=_SIZES,
            registry=self._registry,
        )
        self._loads = Gauge(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "1 for every version that was loaded and answers.",
            ("model_path", "status"),
            registry=self._registry,
        )

    def _histogram(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(
            f"{_PREFIX}{name}", text, labels, buckets=_MICROSECONDS, registry=self._registry
        )

    @contextmanager
    def request(self, model_name: Callable[[], str], entrypoint: str) -> Iterator[None]:
        """Count a request and how it ended.

        Args:
            model_name: Tells, once the request is read, the name of a model that exists, or
                nothing: what strangers make up must not become labels without end.
            entrypoint: "GRPC" or "REST".
        """
        started_s = perf_counter()
        status = grpc.StatusCode.INTERNAL
        try:
            yield
            status = grpc.StatusCode.OK
        except RequestError as error:
            status = error.code
            raise
        except (asyncio.CancelledError, ClientDisconnect):
            # Whoever asked has gone away, or its time is up.
            status = grpc.StatusCode.CANCELLED
            raise
        finally:
            name = model_name()
            self._requests.labels(name, status.name).inc()
            if status is grpc.StatusCode.OK:
                self._latency.labels(name, "predict", entrypoint).observe(
                    1e6 * (perf_counter() - started_s)
                )

    def batch_ran(self, size: int, seconds: float) -> None:
        """Count a batch."""
        self._batch_size.observe(size)
        self._run.observe(1e6 * seconds)

    def request_waited(self, seconds: float) -> None:
        """Count how long a request waited for its batch."""
        self._wait.observe(1e6 * seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        self._loads.clear()
        for name, versions in self._available().items():
            for version in versions:
                self._loads.labels(f"{CONTAINER_MODELS}/{name}/{version}", "success").set(1)
        return generate_latest(self._registry)
