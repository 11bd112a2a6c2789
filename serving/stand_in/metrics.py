"""What Prometheus reads, under the names and labels that TensorFlow Serving uses.

TensorFlow Serving's counters lack the ending `_total`, which the Prometheus client puts on every
counter; so they are gauges here that only rise.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import grpc
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.stand_in.servable import RequestError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SERVING = ":tensorflow:serving:"
# Limits of buckets: microseconds of latencies and of waits, and genes.
_LATENCIES = [10 * 1.8**n for n in range(33)]
_WAITS = [100 * 1.2**n for n in range(52)]
_SIZES = [2**n for n in range(14)]


class Metrics:
    """The counts of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._gauge(
            f"{_SERVING}request_count",
            "Requests for predictions, by how they ended.",
            ("model_name", "status"),
        )
        self._loads = self._gauge(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "Attempts to load a version.",
            ("model_path", "status"),
        )
        self._latency = self._histogram(
            "request_latency",
            "Microseconds from a request to its answer, of those that succeed.",
            _LATENCIES,
            ("model_name", "API", "entrypoint"),
        )
        self._run = self._histogram(
            "runtime_latency",
            "Microseconds that a request waited for the graph and that it ran, if it succeeds.",
            _LATENCIES,
            ("model_name", "API", "runtime"),
        )
        self._wait = self._histogram(
            "batching_session:queuing_latency",
            "Microseconds that a request waited for others.",
            _WAITS,
            ("thread_pool_name",),
        )
        self._batch_size = self._histogram(
            "batching_session:processed_batch_size", "Genes (rows) in a batch.", _SIZES
        )

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry)

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(_SERVING + name, text, labels, buckets=buckets, registry=self._registry)

    @contextmanager
    def request(self, model_name: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count a request and how it ended.

        Args:
            model_name: Of a model that exists, or nothing: what strangers make up must not become
                labels without end.
            api: "Predict" over gRPC, "predict" over REST.
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
        except HTTPException:
            # Of `serving.http_server`: too much at once, or too slow.
            status = grpc.StatusCode.UNAVAILABLE
            raise
        except (asyncio.CancelledError, ClientDisconnect):
            # Whoever asked has gone away, or its time is up.
            status = grpc.StatusCode.CANCELLED
            raise
        finally:
            self._requests.labels(model_name, status.name).inc()
            if status is grpc.StatusCode.OK:
                self._latency.labels(model_name, api, entrypoint).observe(
                    1e6 * (perf_counter() - started_s)
                )

    @contextmanager
    def run(self, model_name: str) -> Iterator[None]:
        """Count how long the graph took, with its wait, if it answers."""
        started_s = perf_counter()
        yield
        self._run.labels(model_name, "Predict", "TF1").observe(1e6 * (perf_counter() - started_s))

    def batch_ran(self, size: int) -> None:
        """Count a batch."""
        self._batch_size.observe(size)

    def request_waited(self, seconds: float) -> None:
        """Count how long a request waited for its batch."""
        self._wait.labels("").observe(1e6 * seconds)

    def load_tried(self, model_path: str, is_loaded: bool) -> None:
        """Count an attempt to load a version from a folder, as the configuration names it."""
        self._loads.labels(model_path, "success" if is_loaded else "fail").inc()

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)
