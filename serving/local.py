"""A local stand-in for TensorFlow Serving, for tests and for trying out an exported model.

It speaks TensorFlow Serving's gRPC and REST interfaces, runs the same TensorFlow session on the
same graph, and reads the same files of configuration. What it does not do as TensorFlow Serving
does stands in `serving/README.md`.

The folder of models stands for the container's `/models`: `MODELS/NAME/VERSION/saved_model.pb`.

    python -m serving.local --models-dir models --port 8500

or, from Python:

    with LocalServer("models") as server, Client(server.target, "e012") as client:
        client.predict(signal)
"""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import grpc

from serving.command_line import option, parse, quieten_tensorflow, run_command
from serving.errors import InputError
from serving.models_config import MODELS_CONFIG_FILE, point_into, read_models_config
from serving.ports import address, listen

if TYPE_CHECKING:
    import uvicorn

    from serving.stand_in.batching import BatchingParameters

__all__ = ["LocalServer"]

MAX_MESSAGE_BYTES = 64 * 2**20
# Each may hold a message: more at once are refused before they are read.
MAX_CONCURRENT_REQUESTS = 2048

# How long the last answers take from here to the network.
_LAST_ANSWERS_S = 0.2

_logger = logging.getLogger("serving.local")


class LocalServer:
    """The stand-in, serving as long as its context is open.

    Args:
        models_dir: Folder of served models, `NAME/VERSION/saved_model.pb`, which stands for the
            container's `/models`. Without a `models.config` every model in it is served, and of
            each the highest version.
        host: Address to listen on; the default is reachable from this machine alone.
        port: Port for gRPC; 0 takes a free one.
        rest_port: Port for REST and for Prometheus; 0 takes a free one, None leaves it closed.
            It is never encrypted.
        models_config: ModelServerConfig in protobuf's text format, as TensorFlow Serving takes
            it: names, versions and labels. Read again at each poll. By default the
            `models.config` that `python -m export` writes into `models_dir`, where there is one.
        batching: How requests are batched, or a file of TensorFlow Serving's BatchingParameters.
        ssl_config_file: TensorFlow Serving's SSLConfig: certificate and key of the server, and
            whether clients need one.
        poll_wait_s: Seconds between two looks at the folder and the file.
        max_message_bytes: Most bytes of a request.
        allow_unsafe_ops: Also load models that may reach files, the network or other code.

    Attributes:
        target: `host:port` of gRPC, as a client wants it.
        rest_url: `http://host:port` of REST, or None.
        models_config: The file that says what is served, or None.

    Raises:
        InputError: If there is nothing to serve, a SavedModel cannot be loaded, or a file of
            configuration does not hold what it should.
        OSError: If a port cannot be had.
    """

    def __init__(
        self,
        models_dir: str | Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rest_port: int | None = None,
        models_config: str | Path | None = None,
        batching: "BatchingParameters | str | Path | None" = None,
        ssl_config_file: str | Path | None = None,
        poll_wait_s: float = 1.0,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        allow_unsafe_ops: bool = False,
    ) -> None:
        from serving.stand_in.batching import BatchingParameters
        from serving.stand_in.grpc_api import server_credentials
        from serving.stand_in.metrics import Metrics
        from serving.stand_in.model_store import ModelStore

        for wanted in (port, rest_port):
            if wanted is not None:
                # The system says why not; gRPC writes its own log and says only that it failed.
                listen(host, wanted).close()
        if not poll_wait_s > 0:
            raise InputError(f"Expected a positive number. Received: poll_wait_s={poll_wait_s}")
        if batching is None or isinstance(batching, str | Path):
            batching = BatchingParameters.from_file(batching) if batching else BatchingParameters()
        credentials = server_credentials(ssl_config_file) if ssl_config_file else None
        self._host = host
        self.models_config = None if models_config is None else Path(models_config)
        self._poll_wait_s = poll_wait_s
        self._max_message_bytes = max_message_bytes
        self._metrics = Metrics()
        self._models = ModelStore(
            Path(models_dir), self._metrics.load_tried, allow_unsafe_ops=allow_unsafe_ops
        )
        self._rest: uvicorn.Server | None = None
        self.rest_url: str | None = None

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server", daemon=True)
        self._thread.start()
        try:
            self.target = self._do(self._start(batching, port, rest_port, credentials))
        except BaseException:
            self._end_loop()
            raise

    @property
    def models(self) -> dict[str, list[int]]:
        """The versions that answer, for each model's name."""
        return self._models.available()

    @property
    def left_out(self) -> list[str]:
        """Models that lie in the folder and that `models_config` does not name."""
        return sorted(self._models.in_folder() - self._models.available().keys())

    @property
    def served(self) -> str:
        """What answers, in words, with the labels of versions, and the file that says so."""
        text = self._models.served()
        return f"{text}, as {self.models_config} says" if self.models_config else text

    def drain(self, grace_s: float) -> None:
        """Refuse requests, and wait at most `grace_s` seconds for those under way.

        Requests over gRPC are refused until the process ends, with UNAVAILABLE.
        """
        self._do(self._drain(grace_s))

    def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting requests, and wait at most `grace_s` seconds for those under way."""
        if self._thread.is_alive():
            self.drain(grace_s)
            self._do(self._grpc.stop(1.0))
            self._end_loop()

    def __enter__(self) -> "LocalServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(
        self,
        batching: "BatchingParameters",
        port: int,
        rest_port: int | None,
        credentials: grpc.ServerCredentials | None,
    ) -> str:
        from serving.stand_in.batching import Batcher
        from serving.stand_in.grpc_api import GrpcApi
        from serving.stand_in.service import Service

        await self._load_models()
        self._batcher = Batcher(batching, self._metrics.batch_ran, self._metrics.request_waited)
        service = Service(self._models, self._batcher, self._metrics, self._max_message_bytes)
        self._grpc = grpc.aio.server(
            maximum_concurrent_rpcs=MAX_CONCURRENT_REQUESTS,
            options=[
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", -1),
                # Without this a second server could share the port of the first.
                ("grpc.so_reuseport", 0),
                # A client that has vanished without a word is noticed.
                ("grpc.keepalive_time_ms", 60_000),
            ],
        )
        api = self._api = GrpcApi(self._grpc, service, self._metrics)
        wanted = address(self._host, port)
        bound = (
            self._grpc.add_secure_port(wanted, credentials)
            if credentials
            else self._grpc.add_insecure_port(wanted)
        )
        await self._grpc.start()
        if rest_port is not None:
            await self._start_rest(service, rest_port)
        await api.begin()
        self._polling = asyncio.create_task(self._poll_again_and_again())
        return address(self._host, bound)

    async def _start_rest(self, service: Any, port: int) -> None:
        from serving.http_server import http_server
        from serving.stand_in.rest_api import rest_api

        listening = listen(self._host, port)
        # The end of an answer is not to wait for the client to confirm its beginning.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest_url = f"http://{address(self._host, listening.getsockname()[1])}"
        application = rest_api(service, self._metrics, self._max_message_bytes)
        self._rest = http_server(
            application, log_config=None, lifespan="off", timeout_keep_alive=60
        )
        # Not `serve`, which would take over the signals of the process.
        self._rest_ended = asyncio.create_task(self._rest._serve([listening]))
        while not self._rest.started:
            await asyncio.sleep(0.01)

    async def _drain(self, grace_s: float) -> None:
        self._polling.cancel()
        with suppress(asyncio.CancelledError):
            await self._polling
        if self._rest:
            self._rest.config.timeout_graceful_shutdown = max(1, round(grace_s))
            self._rest.should_exit = True
        await self._api.end(grace_s)
        if self._rest:
            await self._rest_ended
        self._batcher.close()
        self._models.close()

    async def _load_models(self) -> None:
        from serving.stand_in.servable import RequestError

        config = self._read_config()
        if not config.model_config_list.config:
            raise InputError(
                f"Expected models as {self._models.models_dir}/NAME/VERSION/saved_model.pb. "
                "Received: none. Export one: python -m export RUN --to "
                f"{self._models.models_dir} --name NAME"
            )
        try:
            await self._apply(config)
        except RequestError as error:
            for path, reason in self._models.failures().items():
                raise InputError(
                    f"Expected a SavedModel. Received: {path}, which cannot be loaded ({reason}). "
                    "Export it again, or take it away"
                ) from error
            raise InputError(f"Expected models that can be served. Received: {error}") from error

    async def _apply(self, config: Any) -> None:
        await self._models.apply(config)
        self._applied = config

    def _read_config(self) -> Any:
        models_dir = self._models.models_dir
        beside = models_dir / MODELS_CONFIG_FILE
        if self.models_config is None and beside.is_file():
            # From now on, also if it is away for a moment.
            self.models_config = beside
        if self.models_config is None:
            return self._models.config_of_folder()
        config = read_models_config(self.models_config)
        if self.models_config.absolute() in (beside.absolute(), models_dir.absolute()):
            point_into(config, models_dir)
        return config

    async def _poll_again_and_again(self) -> None:
        from serving.stand_in.servable import RequestError

        last_fault = ""
        while True:
            await asyncio.sleep(self._poll_wait_s)
            fault = ""
            try:
                try:
                    # What a client has told since, by HandleReloadConfigRequest, stays.
                    if (config := self._read_config()) != self._applied:
                        await self._apply(config)
                except (InputError, RequestError) as error:
                    fault = str(error)
                # The configuration of before is still good, and its folders may have changed: a
                # label may be waiting for a version.
                await self._models.poll()
            except Exception:
                _logger.exception("looking for models")
            if fault and fault != last_fault:
                _logger.warning("%s", fault)
            last_fault = fault


@dataclass(frozen=True, kw_only=True)
class LocalOptions:
    """Options of the command; `LocalServer` describes them."""

    models_dir: Path = option(
        "folder of models, NAME/VERSION inside; stands for the container's /models",
        aliases=("models",),
        metavar="DIR",
    )
    host: str = option("address to listen on", default="127.0.0.1")
    port: int = option("port, 0 for any", default=8500)
    rest_port: int | None = option(
        "port of REST and Prometheus (default: closed)", default=None, metavar="N"
    )
    models_config: Path | None = option(
        "models, versions and labels, as TensorFlow Serving reads them; read again and again "
        "(default: DIR/models.config if it is there, else every model, its highest version)",
        default=None,
        aliases=("model_config_file",),
        metavar="FILE",
    )
    batching_parameters_file: Path | None = option(
        "how requests are batched, as TensorFlow Serving reads it", default=None, metavar="FILE"
    )
    ssl_config_file: Path | None = option(
        "certificates, as TensorFlow Serving reads them (default: not encrypted)",
        default=None,
        metavar="FILE",
    )
    poll_wait_s: float = option("between looks at the files", default=1.0)
    grace_s: float = option("for requests under way at the end", default=30.0)
    allow_unsafe_ops: bool = option(
        "load models that hold more than exports do, and may reach files, the network or other "
        "code",
        default=False,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until interrupted or terminated.

    Raises:
        InputError: As `LocalServer`.
        OSError: As `LocalServer`.
    """
    options = parse(
        LocalOptions,
        argv,
        prog="python -m serving.local",
        description="A local stand-in for TensorFlow Serving, for tests and for trying out: its "
        "gRPC and REST interfaces and its files of configuration. Stops on SIGINT and SIGTERM, "
        "once what is under way is answered.",
    )
    # A GPU stays with whoever trains on it.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.ERROR, "error")
    logging.basicConfig(format="%(levelname)s: %(message)s (%(asctime)s)", level=logging.WARNING)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    quieten_tensorflow()
    given = vars(options).copy()
    grace_s, batching = given.pop("grace_s"), given.pop("batching_parameters_file")
    server = LocalServer(**given, batching=batching)
    print(f"Local stand-in for TensorFlow Serving on {server.target}: {server.served}", flush=True)
    if server.rest_url:
        print(f"REST and Prometheus on {server.rest_url}", flush=True)
    if server.models_config is not None and server.left_out:
        _logger.warning(
            "%s in %s is not served: %s does not name it. Export it, or add it there",
            ", ".join(server.left_out),
            options.models_dir,
            server.models_config,
        )
    stopping.wait()
    server.drain(grace_s)
    # gRPC would cancel what it has not looked at yet, and clients take that for their own doing.
    # A connection that ends tells them to ask again.
    time.sleep(_LAST_ANSWERS_S)
    os._exit(0)


if __name__ == "__main__":
    run_command(main, InputError)
