"""Takes the `docker` commands that test_container.py gives, without a Docker engine.

Docker Compose itself says what the files mean. A container is a process: the entry point, with a
stand-in for TensorFlow Serving; and a few lines for Prometheus. No image is built, and nothing
that keeps a container apart is there.
"""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import yaml

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
STATE = Path(os.environ.get("DOCKER_STAND_IN_STATE", "/nonexistent"))
HEALTHY_S = 120


def main(arguments: list[str]) -> int:
    """Do one command."""
    match arguments:
        case ["info"] | ["compose", "version"]:
            pass
        case ["image", "inspect", "--format", "{{.Config.User}}", _]:
            dockerfile = (CONTAINER / "Dockerfile").read_text()
            print(*re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE))
        case ["inspect", "--format", "{{.State.ExitCode}}", "server"]:
            print((STATE / "exit_code").read_text().strip())
        case ["compose", *rest]:
            files = []
            while rest[0] == "-f":
                files += rest[:2]
                rest = rest[2:]
            return compose(files, *rest)
        case ["prometheus", port, rest_port]:
            serve_prometheus(int(port), int(rest_port))
        case _:
            sys.exit(f"docker stand-in: unknown command {arguments}")
    return 0


def compose(files: list[str], command: str, *arguments: str) -> int:
    """Do one command of Docker Compose."""
    (STATE / "commands").open("a").write(f"{command} {' '.join(arguments)}\n")
    compose_command = ["docker-compose", *files, "config"]
    if command == "config":
        return subprocess.run([*compose_command, *arguments], check=False).returncode
    text = subprocess.run(
        [*compose_command, "--format", "json"], check=True, capture_output=True, text=True
    ).stdout
    services = json.loads(text)["services"]
    if command == "up":
        assert "--no-build" in arguments
        if not (STATE / "server.pid").exists():
            start_server(services["server"])
        if "server" not in arguments:
            start_prometheus(services)
    elif command == "ps":
        print("server")
    elif command == "stop":
        stop("server")
    elif command == "down":
        stop("server")
        stop("prometheus")
    elif command == "logs":
        print((STATE / "server.log").read_text())
    else:
        assert command == "build"
    return 0


def start_server(service: dict) -> None:
    """Start the entry point, and wait until the health check is content."""
    ports = {p["target"]: int(p["published"]) for p in service["ports"]}
    mounts = {v["target"]: v["source"] for v in service["volumes"]}
    mounts["/etc/serving"] = str(CONTAINER)
    # With TLS it is not published; the health check asks it inside of the container.
    with socket.create_server(("127.0.0.1", 0)) as any_port:
        ports.setdefault(8501, any_port.getsockname()[1])
    server = STATE / "bin" / "tensorflow_model_server"
    server.parent.mkdir(exist_ok=True)
    stand_in = Path(__file__).with_name("model_server_stand_in.py")
    server.write_text(f'#!/bin/bash\nexec "{sys.executable}" "{stand_in}" "$@"\n')
    server.chmod(0o755)
    environment = {
        **os.environ,
        **service["environment"],
        "PATH": f"{server.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CONTAINER.parents[1]),
        # What the entry point looks for must be there; what it passes on are the container's paths.
        "MODELS_CONFIG": f"{mounts['/models']}/models.config",
        "MOUNTS": json.dumps(mounts),
        **{f"PORT_{target}": str(published) for target, published in ports.items()},
    }
    script = 'bash "$@" & echo $! >"$STATE/server.pid"; wait $!; echo $? >"$STATE/exit_code"'
    entrypoint = str(CONTAINER / "entrypoint.sh")
    (STATE / "exit_code").unlink(missing_ok=True)
    subprocess.Popen(
        ["bash", "-c", script, "-", entrypoint, *(service["command"] or [])],
        env={**environment, "STATE": str(STATE)},
        stdout=(STATE / "server.log").open("w"),
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    (STATE / "ports.json").write_text(json.dumps(ports))
    check = ["bash", str(CONTAINER / "healthcheck.sh"), environment["MODELS_CONFIG"]]
    deadline = time.monotonic() + HEALTHY_S
    while subprocess.run([*check, str(ports[8501])], check=False, capture_output=True).returncode:
        if (STATE / "exit_code").exists() or time.monotonic() > deadline:
            sys.exit((STATE / "server.log").read_text())
        time.sleep(0.2)


def start_prometheus(services: dict) -> None:
    """Start what stands for Prometheus."""
    port = services["prometheus"]["ports"][0]["published"]
    rest_port = json.loads((STATE / "ports.json").read_text())["8501"]
    process = subprocess.Popen(
        [sys.executable, __file__, "prometheus", port, str(rest_port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    (STATE / "prometheus.pid").write_text(str(process.pid))


def stop(name: str) -> None:
    """End a process, if it is there, and wait for it."""
    path = STATE / f"{name}.pid"
    if not path.exists():
        return
    pid = int(path.read_text())
    path.unlink()
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    # The shell that started it writes this down.
    while name == "server" and not (STATE / "exit_code").exists():
        time.sleep(0.02)


def serve_prometheus(port: int, rest_port: int) -> None:
    """Answer as Prometheus does, of a target that is up if it answers, and of the alerts."""
    config = yaml.safe_load((CONTAINER / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/api/v1/targets"):
                url = f"http://127.0.0.1:{rest_port}{job['metrics_path']}"
                urllib.request.urlopen(url, timeout=60).read()
                labels = {"job": job["job_name"]}
                data = {"activeTargets": [{"labels": labels, "health": "up"}]}
            else:
                data = yaml.safe_load((CONTAINER / "alerts.yml").read_text())
            body = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    assert shutil.which("docker-compose"), "no docker-compose"
    sys.exit(main(sys.argv[1:]))
