"""The command: what it says, and how it starts and stops."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from serving.command_line import run_command
from serving.errors import InputError
from serving.local import LocalServer
from serving.web.__main__ import main


def test_help_needs_no_tensorflow() -> None:
    program = (
        "import sys\\n"
        "from serving.web.__main__ import main\\n"
        "try: main(['--help'])\\n"
        "except SystemExit: pass\\n"
        "assert not {'tensorflow', 'starlette', 'uvicorn'} & set(sys.modules)"
    ).replace("\\n", "\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--models-config FILE" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--models tiny --tls-ca nosuch.pem", "Expected a PEM file. Received: nosuch.pem"),
        ("--models tiny --tls-cert a.pem", "Expected a certificate and its key"),
        ("--models-config nosuch.config", "Received: nosuch.config"),
        ("--models tiny --dataset nosuch", "Received: dataset=nosuch"),
        ("--models tiny --dataset-dir nosuch --data_dir x", "dataset=nosuch, data_dir=x"),
        ("--models tiny --max-genes 0", "Received: max_genes=0"),
        ("--models tiny --port 99999", "Received: 127.0.0.1:99999"),
        ("", "Expected the names of models, a models.config or ONNX files. Received: models=None"),
        ("--onnx nosuch.onnx", "Received: nosuch.onnx (No such file or directory)"),
        ("--onnx a.onnx --models tiny", "Received: models=tiny, models_config=None, onnx=a.onnx"),
        ("--models tiny --models-config models.config", "Received: models=tiny, models_config="),
    ],
)
def test_wrong_options_are_told_in_one_line(
    options: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = [] if "--port" in options else ["--port", "0"]
    with pytest.raises((InputError, OSError), match=re.escape(said)) as refused:
        main([*options.split(), *port])
    assert "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port} \(Address already in use\)"):
            main(["--models", "tiny", "--port", str(port)])


@pytest.mark.parametrize("module", ["uvicorn", "python_multipart"])
def test_missing_packages_are_named(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for own in ("serving.web.app", "serving.http_server"):
        monkeypatch.delitem(sys.modules, own, raising=False)
    monkeypatch.setattr(sys, "argv", ["serving.web", "--models", "tiny", "--port", "0"])
    with pytest.raises(SystemExit) as exit_:
        run_command(main, InputError)
    assert exit_.value.code == 2
    assert "Install it: pip install 'keras-chrome[web]'" in capsys.readouterr().err


@pytest.mark.serving
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_it_serves_until_it_is_stopped(
    server: LocalServer, models_dir: Path, number: signal.Signals
) -> None:
    command = (
        *(sys.executable, "-m", "serving.web", "--target", server.target, "--port", "0"),
        *("--models-config", str(models_dir / "models.config")),
    )
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            found = re.fullmatch(
                rf"(http://127\.0\.0\.1:\d+) asks {re.escape(server.target)} for tiny \(stable\), "
                r"tiny \(canary\), foreign\n",
                line,
            )
            assert found, line + process.stderr.read()
            with urllib.request.urlopen(found[1], timeout=60) as response:
                assert b"tiny (stable)" in response.read()
                assert "server" not in {name.lower() for name in response.headers}
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(
                    urllib.request.Request(found[1], headers={"Host": "evil.example"}), timeout=60
                )
            process.send_signal(number)
            process.wait(timeout=60)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
