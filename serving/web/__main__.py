"""`python -m serving.web`: serve the page."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from serving.command_line import (
    option,
    parse_given,
    quieten_tensorflow,
    run_command,
)
from serving.errors import InputError
from serving.ports import address, listen
from serving.tls import TlsOptions
from serving.web.config import WebConfig

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, kw_only=True)
class PageOptions(TlsOptions):
    """Options of the command beside those of `WebConfig`."""

    dataset: tuple[Path, ...] = option(
        "built datasets whose genes can be picked: their names, such as remc/E012, or the folders "
        "of their versions",
        default=(),
        aliases=("dataset_dir",),
        group="genes",
    )
    data_dir: Path | None = option(
        "where datasets were built (default: that of tensorflow-datasets)",
        default=None,
        group="genes",
        metavar="DIR",
    )
    splits: tuple[str, ...] | None = option(
        "splits of these datasets (default: all)", default=None, group="genes", metavar="SPLIT"
    )
    host: str = option("address to listen on", default="127.0.0.1")
    port: int = option("port to listen on, 0 for a free one", default=8080)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page until interrupted or terminated.

    Raises:
        InputError: If an option, or a file that it names, is not what it should be.
        OSError: If the port cannot be had.
    """
    given = parse_given(
        WebConfig,
        PageOptions,
        argv=argv,
        prog="python -m serving.web",
        description="A web page that asks TensorFlow Serving or the local stand-in, or answers "
        "itself from ONNX files: pick a gene of a dataset, or give CSV text, and see the "
        "prediction and where the model looked. It "
        "asks nobody for a password: put it behind something that does before others can reach "
        "it. Stops on SIGINT and SIGTERM.",
    )
    names = {field.name for field in fields(PageOptions)}
    options = PageOptions(**{name: value for name, value in given.items() if name in names})
    of_config = {name: value for name, value in given.items() if name not in names}
    if options.host in _LOOPBACK:
        of_config = {"allowed_hosts": _OWN_NAMES, **of_config}
    tls = options.make_tls()
    if tls is not None:
        tls.credentials()  # now rather than at the first request
    _serve(replace(WebConfig(**of_config), tls=tls), options)


def _serve(config: WebConfig, options: PageOptions) -> None:
    # Starlette would miss it at the first form alone.
    import python_multipart  # noqa: F401

    from serving.http_server import http_server
    from serving.web.app import build_app
    from serving.web.catalogue import read_catalogues

    with listen(options.host, options.port) as listener:
        if options.dataset:
            # TensorFlow reads their records; predicting is the server's.
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
            quieten_tensorflow()
        catalogues = read_catalogues(options.dataset, options.splits, options.data_dir)
        config = replace(config, catalogues=catalogues)
        server = http_server(
            build_app(config),
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        url = f"http://{address(*listener.getsockname()[:2])}"
        models = ", ".join(model.text for model in config.offered_models())
        does = "answers from" if config.onnx else f"asks {config.target} for"
        print(f"{url} {does} {models}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


if __name__ == "__main__":
    run_command(main, InputError)
