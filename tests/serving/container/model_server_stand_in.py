"""Takes the flags of tensorflow_model_server, and serves with the local stand-in.

As there, SIGTERM ends it at once. PORT_8500 and PORT_8501 say where the container's ports are, and
MOUNT_..., a JSON object, where its mounts are.
"""

import json
import os
import signal
import sys
from pathlib import Path

from serving.local import LocalServer

FLAGS = Path(__file__).with_name("model_server_flags.txt").read_text().splitlines()


def main() -> None:
    """Serve until killed."""
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in sys.argv[1:])
    if unknown := flags.keys() - set(FLAGS):
        sys.exit(f"unknown argument: {unknown}")
    mounts = json.loads(os.environ["MOUNTS"])

    def outside(name: str) -> str | None:
        path = flags.get(name)
        for target, source in mounts.items():
            if path and (path == target or path.startswith(f"{target}/")):
                return source + path.removeprefix(target)
        return path

    models_config = outside("model_config_file")
    assert flags["port"] == "8500"
    assert flags["rest_api_port"] == "8501"
    with LocalServer(
        Path(models_config).parent,
        port=int(os.environ["PORT_8500"]),
        rest_port=int(os.environ["PORT_8501"]),
        models_config=models_config,
        batching=outside("batching_parameters_file"),
        ssl_config_file=outside("ssl_config_file"),
        poll_wait_s=0.5,
    ):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
