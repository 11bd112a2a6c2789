"""`python -m serving.web`: serve the page."""

import argparse
import contextlib
import importlib.util
import os
import socket
import sys
from collections.abc import Sequence

from serving.errors import InputError
from serving.tls import add_tls_options, tls_from

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# More at once than people at their browsers need.
_MAX_CONNECTIONS = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until interrupted or terminated."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.web",
        description="A web page that asks TensorFlow Serving, or the local stand-in: pick a gene "
        "of a dataset, or give CSV text, and see the prediction and where the model looked. It "
        "asks nobody for a password: put it behind something that does before others can reach "
        "it. Stops on SIGINT and SIGTERM.",
    )
    parser.add_argument("--target", default="localhost:8500", help="host:port (%(default)s)")
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--models", nargs="+", metavar="NAME", default=[], help="served models")
    models.add_argument(
        "--models-config",
        metavar="FILE",
        help="TensorFlow Serving's models.config, which names models and labels of versions; "
        "read anew for every page",
    )
    parser.add_argument(
        "--dataset-dir",
        nargs="+",
        metavar="DIR",
        default=[],
        help="built datasets whose genes can be picked: their version folders",
    )
    parser.add_argument(
        "--splits", nargs="+", metavar="SPLIT", help="splits of these datasets (default: all)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port to listen on, 0 for a free one (%(default)s)"
    )
    parser.add_argument(
        "--allowed-hosts",
        nargs="+",
        metavar="NAME",
        help="names under which the page may be asked for, such as that of a proxy before it "
        "(default: this machine's own on a loopback address, otherwise any)",
    )
    add_tls_options(parser)
    parser.add_argument(
        "--max-upload-mb", type=float, default=8.0, help="most CSV text, MB (%(default)g)"
    )
    parser.add_argument(
        "--max-genes", type=int, default=2000, help="most genes at once (%(default)s)"
    )
    parser.add_argument(
        "--timeout-s", type=float, default=30.0, help="longest wait for an answer (%(default)g)"
    )
    args = parser.parse_args(argv)
    try:
        _serve(args)
    except (InputError, OSError) as error:
        print(f"python -m serving.web: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(args: argparse.Namespace) -> None:
    for module in ("starlette", "uvicorn", "jinja2", "python_multipart"):
        if importlib.util.find_spec(module) is None:
            raise InputError(
                f"Expected what the page is made with. Received: no module {module}. Install it: "
                "pip install 'keras-chrome[web]'"
            )
    import uvicorn

    from serving.quiet import import_tensorflow_quietly
    from serving.web.app import build_app
    from serving.web.catalogue import read_catalogues
    from serving.web.config import WebConfig

    tls = tls_from(args)
    if tls is not None:
        tls.credentials()  # now rather than at the first request
    is_loopback = args.host in _LOOPBACK
    own_names = ("localhost", "127.0.0.1", "[::1]") if is_loopback else ("*",)
    with _listening(args.host, args.port) as listener:
        # TensorFlow reads datasets and packs arrays here; predicting is the server's.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        import_tensorflow_quietly()
        config = WebConfig(
            target=args.target,
            models=args.models,
            models_config=args.models_config,
            catalogues=read_catalogues(args.dataset_dir, args.splits),
            tls=tls,
            timeout_s=args.timeout_s,
            max_upload_mb=args.max_upload_mb,
            max_genes=args.max_genes,
            allowed_hosts=args.allowed_hosts or own_names,
        )
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(config),
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=5,
            )
        )
        host, port = listener.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        models = ", ".join(model.text for model in config.offered_models())
        print(f"http://{address} asks {args.target} for {models}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    reason = "a port is a number from 0 to 65535"
    if 0 <= port < 2**16:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            # Python says the address once more.
            reason = (error.strerror or str(error)).partition(" (while ")[0]
    raise OSError(
        f"Expected an address and a port that can be listened on. Received: {host}:{port} "
        f"({reason}). Take another with --host or --port"
    )


if __name__ == "__main__":
    sys.exit(main())
