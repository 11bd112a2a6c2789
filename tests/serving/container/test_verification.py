"""What verify.sh checks, and verify.sh itself, with a stand-in for Docker."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.client import main as client_main
from serving.container.running_server import wait_available
from serving.container.verification import add_version, main, read_versions
from serving.errors import InputError, VerificationError
from serving.local import LocalServer

VERIFY = Path(__file__).parents[3] / "serving" / "verify.sh"
CONFIG = """\
model_config_list {
  config {
    name: "e012"
    base_path: "/models/e012"
    model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 10 }
  }
  config { name: "e003" base_path: "/models/e003" model_platform: "tensorflow" }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models, of which only the names matter."""
    for version in ("e012/9", "e012/10", "e003/1"):
        (tmp_path / version).mkdir(parents=True)
        (tmp_path / version / "saved_model.pb").write_text(version)
    (tmp_path / "e012" / "11").mkdir()  # an export that has not arrived
    (tmp_path / "models.config").write_text(CONFIG)
    return tmp_path


def test_models_and_versions_are_those_of_the_file(folder: Path) -> None:
    assert read_versions(folder) == {"e012": [9, 10], "e003": [1]}


def test_the_first_model_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("--models-dir", "--models"):
        main(["models", name, str(folder)])
        assert capsys.readouterr().out == "e012 10\n"


def test_a_step_that_is_none_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["modles"]):
        with pytest.raises(SystemExit) as exit_:
            main(options)
        assert exit_.value.code == 2
    assert "ports, models, golden" in capsys.readouterr().err.replace("'", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("model_config_lst {}", "no field named"),
        ("model_config_list {}", "names none"),
        (CONFIG.replace('"e003"', '"e004"'), "Expected e004/VERSION/saved_model.pb"),
    ],
)
def test_nothing_to_serve_is_told(text: str | None, message: str, folder: Path) -> None:
    (folder / "models.config").unlink()
    if text is not None:
        (folder / "models.config").write_text(text)
    with pytest.raises(InputError, match=message):
        read_versions(folder)


def test_a_new_version_appears(folder: Path) -> None:
    shutil.rmtree(folder / "e012" / "11")
    assert add_version(folder, "e012") == 11
    assert (folder / "e012" / "11" / "saved_model.pb").read_text() == "e012/10"
    assert (folder / "models.config").read_text() == CONFIG
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(VerificationError, match=r"e012 3 to be AVAILABLE in 0 s.*refused"):
        wait_available("http://127.0.0.1:1", "e012", 3, 0)


@pytest.mark.serving
def test_a_server_that_does_what_it_should_passes_each_step(
    server: LocalServer, models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_dir = models_dir / "tiny" / "12"
    rest = ("--url", server.rest_url or "", "--model", "tiny")
    version = ("--version", "12")
    golden = ("--golden", f"{tmp_path}/golden.csv")
    main(["golden", "--model-dir", str(model_dir), "--genes", f"{tmp_path}/genes.csv", *golden])
    main(["wait", *rest, *version, "--timeout-s", "20"])
    main(["rest", *rest, *version, "--model-dir", str(model_dir), *golden])
    options = ("--target", server.target, "--model", "tiny", "--csv", f"{tmp_path}/genes.csv")
    assert client_main([*options, "--quiet", "--out", f"{tmp_path}/table.csv"]) == 0
    main(["compare", "--table", f"{tmp_path}/table.csv", *golden])
    main(["metrics", *rest])
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"16 genes, probability 0\.\d+ to 0\.\d+", lines[0])
    assert lines[1] == "tiny 12 is AVAILABLE"
    for line in lines[2:4]:
        assert line.startswith("the same predictions as the SavedModel by itself, within ")
    assert re.fullmatch(r"\d+ requests for tiny counted", lines[4])
    with pytest.raises(VerificationError, match="tiny 4 to be AVAILABLE in 0 s"):
        main(["wait", *rest, "--version", "4", "--timeout-s", "0"])


@pytest.fixture
def verify(
    find_program, models_dir: Path, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run verify.sh on an exported model, with the stand-in for Docker."""
    find_program("openssl")
    compose = Path(find_program("docker-compose"))
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    stand_in = Path(__file__).with_name("docker_stand_in.py")
    docker.write_text(f'#!/bin/bash\nexec "{sys.executable}" "{stand_in}" "$@"\n')
    docker.chmod(0o755)
    (tmp_path / "state").mkdir()
    models = tmp_path / "models"
    shutil.copytree(models_dir / "tiny" / "12", models / "tiny" / "12")
    (models / "models.config").write_text(
        'model_config_list { config { name: "tiny" base_path: "/models/tiny" model_platform: '
        '"tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 12 } } }\n'
    )

    def verify(*arguments: str) -> subprocess.CompletedProcess[str]:
        places = [str(docker.parent), str(compose.parent), os.environ["PATH"]]
        return subprocess.run(
            ["bash", str(VERIFY), *(arguments or ("--models-dir", str(models)))],
            env={
                **os.environ,
                "PATH": os.pathsep.join(places),
                "PYTHON": sys.executable,
                "DOCKER_STAND_IN_STATE": str(tmp_path / "state"),
                "TMPDIR": str(tmp_path),
            },
            check=False,
            capture_output=True,
            text=True,
        )

    return verify


def _is_running(state: Path) -> bool:
    return any(state.glob("*.pid"))


@pytest.mark.slow
@pytest.mark.serving
def test_verify_finds_all_well(verify, tmp_path: Path) -> None:
    result = verify()
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line.split(". ")[0].strip() for line in lines[:-1]] == [
        str(number + 1) for number in range(len(lines) - 1)
    ]
    assert lines[-1] == "all is well"
    for said in (
        "it runs as user 10001:10001",
        "gRPC: the same predictions as the SavedModel by itself",
        "REST: the same predictions as the SavedModel by itself",
        "Prometheus reads the server, and has 4 rules",
        "tiny 13 was put beside 12, and answers without a restart",
        "stopped at SIGTERM",
        "clients without TLS or without a certificate are refused",
        "REST, which has no TLS, is closed",
    ):
        assert said in result.stdout
    assert not (tmp_path / "models" / "tiny" / "13").exists()  # a copy was served
    assert not _is_running(tmp_path / "state")
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.slow
@pytest.mark.serving
def test_verify_stops_at_a_fault_and_cleans_up(verify, tmp_path: Path) -> None:
    """A SavedModel that its graph cannot be read from: the container never gets healthy."""
    model = tmp_path / "models" / "tiny" / "12" / "saved_model.pb"
    content = model.read_bytes()
    # After the golden predictions were made, and before the server starts.
    docker = tmp_path / "bin" / "docker"
    script = docker.read_text().partition("\n")[2]
    docker.write_text(
        "#!/bin/bash\n"
        '[[ "$*" == *" build" ]] && head -c 100 "$MODELS_DIR/tiny/12/saved_model.pb" '
        '>"$MODELS_DIR/.cut" && mv "$MODELS_DIR/.cut" "$MODELS_DIR/tiny/12/saved_model.pb"\n'
        f"{script}"
    )
    result = verify()
    assert result.returncode == 1
    assert "it does not get healthy" in result.stderr
    assert "all is well" not in result.stdout
    assert model.read_bytes() == content
    assert "down --volumes" in (tmp_path / "state" / "commands").read_text()
    assert not _is_running(tmp_path / "state")
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.parametrize("arguments", [("--models-dir",), ("--modles", "/"), ("a", "b", "c")])
def test_verify_says_how_it_is_used(arguments: tuple[str, ...]) -> None:
    result = subprocess.run(
        ["bash", str(VERIFY), *arguments], check=False, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr == "usage: verify.sh --models-dir MODELS | --run RUN_DIR\n"
