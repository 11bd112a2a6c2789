"""What is released: that it is whole, and works where there is no checkout."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from keras_chrome.__main__ import VERBS

ROOT = Path(__file__).parents[1]
PACKAGES = ("export", "keras_chrome", "serving", "tfds_remc")
SMALL = '{"source": "simulated", "name": "small", "num_genes": 150, "bin_bp": 500}'
GENE = "SIM00000000003"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    """The conda recipe, as conda-build renders it."""
    text = jinja2.Template((ROOT / "recipe" / "meta.yaml").read_text()).render(
        PYTHON="python", pin_subpackage=lambda name, max_pin: f"{name} {max_pin}"
    )
    rendered: dict[str, Any] = yaml.safe_load(text)
    return rendered


def test_the_version_is_the_same_everywhere(
    project: dict[str, Any], recipe: dict[str, Any]
) -> None:
    changes = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert project["version"] in changes[:2]  # below what is not released
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == recipe["package"]["version"] == project["version"]


def test_the_recipe_asks_for_what_the_package_does(
    project: dict[str, Any], recipe: dict[str, Any]
) -> None:
    def without_spaces(requirements: list[str]) -> list[str]:
        return sorted(line.replace(" ", "") for line in requirements)

    of_conda = {"matplotlib": "matplotlib-base"}
    expected = [f"python{project['requires-python']}"]
    for requirement in project["dependencies"]:
        name, bounds = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
        expected.append(of_conda.get(name, name).lower() + bounds)
    assert without_spaces(recipe["requirements"]["run"]) == sorted(expected)
    assert recipe["test"]["imports"] == list(PACKAGES)
    assert recipe["about"]["license"] == project["license"]


def test_the_workflows_test_the_pythons_that_are_named(project: dict[str, Any]) -> None:
    named = [
        classifier.rpartition(" ")[2]
        for classifier in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
    ]
    assert project["requires-python"] == f">={named[0]}"
    checks = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
    assert checks["jobs"]["test"]["strategy"]["matrix"]["python"] == named


@pytest.mark.parametrize("name", ["checks", "release"])
def test_workflows_may_do_little_and_run_what_was_looked_at(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    granted = {job: spec.get("permissions") for job, spec in workflow["jobs"].items()}
    publishes = granted.pop("publish", None)
    assert publishes in (None, {"id-token": "write"})
    assert all(permissions == {"contents": "read"} for permissions in granted.values())
    for line in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built of it."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    shutil.copytree(ROOT / "tests", source / "tests", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    shutil.copy(ROOT / "CITATION.cff", source)
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_what_is_built_passes_the_checks_of_an_index(dist: Path) -> None:
    files = [str(path) for path in sorted(dist.iterdir())]
    (wheel,) = dist.glob("*.whl")
    config = ("--config", str(ROOT / "pyproject.toml"))
    for command in (
        ("twine", "check", "--strict", *files),
        ("check_wheel_contents", *config, str(wheel)),
    ):
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    listed = subprocess.run(["tar", "tzf", sdist], capture_output=True, text=True).stdout.split()
    of_sdist = {name.partition("/")[2] for name in listed}
    assert packed | {"CHANGELOG.md", "CITATION.cff", "LICENSE"} <= of_sdist
    assert not [name for name in of_sdist if name.startswith("tests/")]


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs a program of the installed wheel outside the checkout; `python -m` a module, `-c` code.

    The other packages are those that the tests run with.
    """
    site, work = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("work")
    (wheel,) = dist.glob("*.whl")
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    subprocess.run([*command, "--target", site, wheel], check=True)

    def run(*arguments: str | Path, background: bool = False) -> Any:
        program, *rest = arguments
        script = site / "bin" / str(program)
        start = [str(script)] if script.exists() else [sys.executable, "-m", str(program)]
        if program == "-c":
            start.remove("-m")
        environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # which no user sets
        options: dict[str, Any] = {"cwd": work, "env": environment, "text": True}
        if program == "tfds":
            start = [str(Path(sys.executable).with_name("tfds"))]
        command = [*start, *map(str, rest)]
        if background:
            return subprocess.Popen(command, stdout=subprocess.PIPE, **options)
        done = subprocess.run(command, capture_output=True, **options)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if program != "tfds":
            # No line of TensorFlow's, CUDA's or absl's, which nobody can act on.
            assert re.sub("warning: .*\n", "", done.stderr) == "", command
        return done.stdout

    return run


@contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[str]:
    """A server's first line, and the server until the end of the block."""
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
def test_the_main_job_from_the_wheel_alone(installed: Callable[..., Any], tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}\nfor p in ({', '.join(PACKAGES)}): print(p.__file__)"
    places = installed("-c", code).splitlines()
    assert len(places) == len(PACKAGES)
    assert not [place for place in places if Path(place).is_relative_to(ROOT)]

    for verb in [verb for of_group in VERBS.values() for verb in of_group]:
        assert "usage: " in installed("keras-chrome", verb, "--help")

    build = ("tfds_remc",)
    if importlib.util.find_spec("apache_beam"):
        build = ("tfds", "build", "remc", "--imports", "tfds_remc")
    installed(*build, "--config", SMALL, "--data_dir", "data")
    training = ("--preset", "plain", "--epochs", "2", "--batch-size", "16")
    dataset = ("--dataset", "small", "--data-dir", "data")
    model = ("--model", "cnn_alpha_beta", "--run-dir", "run")
    installed("keras-chrome", "fit", *dataset, *model, *training)
    assert "auroc" in installed("keras-chrome", "evaluate", "run")
    assert "attention-test.nc" in installed("keras-chrome", "attend", "run")
    assert ".png" in installed("keras-chrome", "attend", "run", "--plot", GENE, "--split", "all")
    assert ".png" in installed("keras-chrome", "beta_map", "run", "--gene", GENE, "--split", "all")
    installed("keras-chrome", "explain", "run", "--methods", "alpha")
    installed("keras-chrome", "tracks", "run", "--methods", "alpha")
    installed("keras-chrome", "report", "run", "--out", tmp_path / "report.html")
    assert "<html" in (tmp_path / "report.html").read_text()
    installed("export", "run", "--to", "models", "--name", "small")

    served = installed("serving.local", "--models-dir", "models", "--port", 0, background=True)
    with running(served) as line:
        target = re.search(r"on (\S+): small 1", line).group(1)  # type: ignore[union-attr]
        asked = ("--target", target, "--model", "small")
        table = installed("serving.client", *asked, *dataset, "--quiet")
        assert table.count("\nSIM") == 50
        address = ("--target", target, "--models", "small", "--port", 0)
        page = installed("serving.web", *address, *dataset, background=True)
        with running(page) as line:
            url = re.search(r"http://\S+", line).group()  # type: ignore[union-attr]
            for part in ("", "/static/page.css"):
                with urllib.request.urlopen(url.rstrip("/") + part) as answer:
                    assert answer.status == 200
