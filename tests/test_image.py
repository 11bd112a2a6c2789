"""The image of all commands: its recipe fits what is in the repository, as far as text can show."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {
    name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
}


def _instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", joined, re.MULTILINE)


def _copied() -> set[str]:
    """What comes from the repository, not from another stage."""
    words = [line.split() for line in _instructions("COPY") if "--from=" not in line]
    return {word for line in words for word in line[:-1] if not word.startswith("--")}


def test_python_is_the_one_that_the_versions_are_tested_on() -> None:
    defaults = dict(argument.split("=", 1) for argument in _instructions("ARG"))
    version = re.fullmatch(r"(\d+\.\d+)\.\d+-slim-\w+", defaults["PYTHON"])
    assert version
    assert f"on Python {version[1]}." in (ROOT / "constraints.txt").read_text()
    assert _instructions("FROM") == ["python:${PYTHON} AS installed", "python:${PYTHON}"]


def test_what_is_copied_is_there_and_is_sent_to_the_build() -> None:
    assert _copied() >= PACKAGES
    assert all((ROOT / name).exists() for name in _copied())
    first, *rules = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    # What a build or git leaves behind stays out, and so does data.
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == _copied()


def test_what_is_installed_is_an_extra_at_a_tested_version() -> None:
    known = PROJECT["project"]["optional-dependencies"].keys()
    choices = re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE)
    assert len(choices) == 2  # Without a GPU, and with one.
    assert all(set(extras.split(",")) <= known for extras in choices)
    (install,) = [line for line in _instructions("RUN") if "pip install" in line]
    assert re.search(r'-c constraints\.txt "\.\[\$\{EXTRAS\}\]"$', install)


def test_it_runs_as_an_ordinary_user() -> None:
    (user,) = _instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    _, last = DOCKERFILE.split("\nFROM python:${PYTHON}\n")
    assert f"USER {user}\n" in last


@pytest.fixture
def demo(tmp_path: Path) -> str:
    """What the image's `demo` would do: its own script, with the repository's Makefile, dry."""
    (run,) = [line for line in _instructions("RUN") if "/usr/local/bin/demo" in line]
    written = run.partition(">/usr/local/bin/demo")[0]
    script = subprocess.run(["sh", "-c", written], check=True, capture_output=True, text=True)
    (tmp_path / "demo").write_text(script.stdout.replace("/opt/Makefile", str(ROOT / "Makefile")))
    done = subprocess.run(
        ["sh", "demo", "--dry-run"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_the_demo_is_the_makefiles_with_what_is_installed(demo: str) -> None:
    (venv,) = [line.split()[-1] for line in _instructions("RUN") if "-m venv" in line]
    programs = set(re.findall(r"[\w./]+/python\b", demo))
    assert programs == {f"{venv}/bin/python"}
    assert "pip install" not in demo
    for module in ("tfds_remc", "keras_chrome.fit", "export", "serving.local", "serving.client"):
        assert f"python -m {module} " in demo
