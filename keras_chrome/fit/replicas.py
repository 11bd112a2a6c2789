"""Where a training runs: on this machine, on several of its devices, or on several machines."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.atomic import atomic_path
from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

_PORTS = "TF_CONFIG holds the same hosts and ports on every machine, and its own index"


@dataclass(frozen=True)
class Replicas:
    """The devices that train one model together; of plain training there is no strategy.

    Attributes:
        strategy: TensorFlow's, of which `num_replicas_in_sync` devices hold the same weights.
        worker: Number of this process; number 0, the chief, alone writes the run.
        num_workers: Number of processes.
    """

    strategy: tf.distribute.Strategy | None = None
    worker: int = 0
    num_workers: int = 1

    @property
    def num_replicas(self) -> int:
        """Number of devices."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run."""
        return self.worker == 0

    def scope(self) -> Any:
        """What variables are made in, so that every device has them."""
        return ExitStack() if self.strategy is None else self.strategy.scope()

    def from_chief(self, content: bytes) -> bytes:
        """What the chief has, whatever is given elsewhere; every process has to ask for it."""
        if self.num_workers == 1:
            return content
        size = int(self._of_chief(np.array([len(content)]))[0])
        if not size:
            return b""
        mine = np.frombuffer(content, np.uint8) if self.is_chief else np.zeros(size)
        return self._of_chief(mine).astype(np.uint8).tobytes()

    def _of_chief(self, numbers: np.ndarray) -> np.ndarray:
        assert self.strategy is not None
        summed = _summing(self.strategy)(numbers.astype(np.int64) * self.is_chief)
        of_all: np.ndarray = self.strategy.experimental_local_results(summed)[0].numpy()
        # Each of the chief's devices has added them.
        return of_all // self.num_local

    @property
    def num_local(self) -> int:
        """Number of devices of this process."""
        return self.num_replicas // self.num_workers

    def share_file(self, path: Path) -> None:
        """Give every process the file that the chief has, if it has one."""
        if self.num_workers == 1:
            return
        content = path.read_bytes() if self.is_chief and path.is_file() else b""
        content = self.from_chief(content)
        if content and not self.is_chief:
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)


ALONE = Replicas()
"""Plain training, on one device."""


@functools.cache
def _summing(strategy: tf.distribute.Strategy) -> Any:
    """A function that sums whole numbers over all devices, compiled once."""
    import tensorflow as tf

    def of_replica(own: tf.Tensor) -> Any:
        # Made here, it is on the device of the replica.
        return tf.distribute.get_replica_context().all_reduce("sum", tf.identity(own))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.int64)])
    def summed(own: tf.Tensor) -> Any:
        return strategy.run(of_replica, args=(own,))

    return summed


@contextmanager
def lost_workers(replicas: Replicas) -> Iterator[None]:
    """Say in one line that another worker is gone, if a block fails of that.

    Raises:
        InputError: If it does.
    """
    if replicas.num_workers == 1:
        yield
        return
    import tensorflow as tf

    try:
        yield
    except (
        tf.errors.DataLossError,
        tf.errors.InvalidArgumentError,
        tf.errors.NotFoundError,
        tf.errors.ResourceExhaustedError,
    ):
        raise  # of this one
    except tf.errors.OpError as error:
        raise InputError(
            f"Expected all {replicas.num_workers} workers to the end. Received: worker "
            f"{replicas.worker} lost another ({type(error).__name__}); start all of them again "
            "with --resume"
        ) from None


def open_replicas(name: str, *, timeout_s: float) -> Replicas:
    """The devices of a strategy. Of several workers it waits until all are there.

    It has to come before TensorFlow does anything else.

    Args:
        name: `none`; `mirrored`, the devices of this machine; `multiworker`, those of all
            processes that the environment variable TF_CONFIG names.
        timeout_s: How long to wait for the others.

    Raises:
        InputError: If TF_CONFIG does not name them, or one does not come up.
    """
    if name == "none":
        return ALONE
    import tensorflow as tf

    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Replicas(tf.distribute.MirroredStrategy([device.name for device in devices]))
    addresses, worker = _cluster(os.environ.get("TF_CONFIG", ""))
    _meet(addresses, worker, timeout_s)
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, tf.errors.OpError) as error:
        raise InputError(
            f"Expected the {len(addresses)} workers of TF_CONFIG to find each other. Received: "
            f"{str(error).splitlines()[0]}; {_PORTS}"
        ) from None
    if is_main:  # TensorFlow has taken the signal to itself.
        signal.signal(signal.SIGTERM, handler)
    return Replicas(strategy, worker, len(addresses))


def worker_of(name: str) -> int:
    """Which of the workers of a strategy this process is; 0, the chief, if it is the only one.

    Raises:
        InputError: If TF_CONFIG does not say.
    """
    return _cluster(os.environ.get("TF_CONFIG", ""))[1] if name == "multiworker" else 0


def _cluster(text: str) -> tuple[list[str], int]:
    """The addresses of all workers, and which of them this process is."""
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        addresses = [*cluster.get("chief", []), *cluster["worker"]]
        worker = int(task["index"])
        if task["type"] == "worker":
            worker += len(cluster.get("chief", []))
        _ = addresses[worker]
        is_sound = (
            set(cluster) <= {"chief", "worker"}
            and len(cluster.get("chief", [])) <= 1
            and task["type"] in cluster
            and worker >= 0
            # Who finds itself would wait for the other for ever.
            and len(set(map(_address, addresses))) == len(addresses)
        )
        if is_sound:
            return addresses, worker
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass
    raise InputError(
        "Expected the environment variable TF_CONFIG with --strategy multiworker, such as "
        '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}. '
        f"Received: {text or 'none'}"
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not 0 < int(port) < 2**16:
        raise ValueError(text)
    host.encode("idna")  # It raises a ValueError, too.
    return host, int(port)


def _meet(addresses: Sequence[str], worker: int, timeout_s: float) -> None:
    """Wait until every worker listens; TensorFlow itself would wait for ever."""
    deadline = time.monotonic() + timeout_s
    missing = [address for number, address in enumerate(addresses) if number != worker]
    with _listening(_address(addresses[worker])[1]):
        while missing := [address for address in missing if not _listens(address)]:
            if time.monotonic() > deadline:
                raise InputError(
                    f"Expected {len(addresses)} workers within --worker-timeout-s {timeout_s:g}. "
                    f"Received: none at {', '.join(missing)}; {_PORTS}"
                )
            time.sleep(0.2)


@contextmanager
def _listening(port: int) -> Iterator[None]:
    try:
        listener = socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise InputError(
            f"Expected a free port for this worker. Received: {port} ({error.strerror}); {_PORTS}"
        ) from None
    with listener:
        yield


def _listens(address: str) -> bool:
    try:
        socket.create_connection(_address(address), timeout=5).close()
    except OSError:  # Also of a name that is not known yet.
        return False
    return True
