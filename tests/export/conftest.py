"""Tiny runs and their exports, made once: all take seconds."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from export import export_run, export_runs
from export.fresh_process import FreshProcess
from keras_chrome.models import VARIANTS, build_model
from keras_chrome.models.ensemble import ensemble_model
from keras_chrome.runs import Run, new_run

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
NUM_BINS = 8
# What keeps a variant whose filters are wider than the tests' eight bins small.
SIZES = {"deep_chrome": {"filter_bins": 3, "pool_bins": 2}}


def _make_run(
    path: Path,
    variant: str = "attentive_chrome",
    *,
    seed: int = 1,
    labels: str = "median",
    epigenome: str = "demo",
    task: str = "classification",
    **model_options: object,
) -> Run:
    """A run directory with an untrained model, without the rest."""
    keras.utils.set_random_seed(seed)
    arguments = {"marks": list(MARKS), "num_bins": NUM_BINS, "transform": "log1p"}
    model = build_model(variant, **arguments, task=task, dropout=0.5, **model_options)
    # Larger than at the start of training: genes then differ, and gradients are not noise. Of many
    # layers three times would be thousands of times.
    scale = 1.2 if variant in ("context_chrome", "additive_chrome") else 3
    model.set_weights([scale * weight for weight in model.get_weights()])
    with new_run(
        path,
        options={
            "dataset": f"remc/{epigenome}",
            "model": variant,
            "labels": labels,
            "task": task,
            "seed": seed,
            "run_dir": str(path),
        },
        model={"variant": variant, **arguments},
        dataset={
            "name": f"remc/{epigenome}",
            "fingerprint": "f00d",
            "num_bins": NUM_BINS,
            "bin_bp": 100,
            "flank_bp": 400,
            "oriented": False,
            "genome": "simulated",
            "label_rule": "high if rpkm > median_rpkm",
            "unit": "TPM",
        },
    ) as run:
        run.save_model(model)
    return run


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """Makes a run directory of a variant with options of its own."""
    return _make_run


def _join(members: list[Run], path: Path, *, baseline: bool = False) -> Run:
    """The members as one run, of which the last is a baseline if so asked."""
    content = json.loads((members[0].path / "config.json").read_text())
    of_members = [
        {
            "run": str(member.path),
            "kind": "variant",
            "model": member.model_name,
            "seed": member.config.seed,
            "weight": 1 / len(members),
            "sha256": "f00d",
            "options": {},
        }
        for member in members
    ]
    if baseline:
        of_members[-1] |= {"kind": "baseline", "model": "gradient_boosting"}
    del content["model"]["variant"]
    model = {"ensemble": of_members, **content["model"]}
    with new_run(path, options=content["options"], model=model, dataset=content["dataset"]) as run:
        if not baseline:
            run.save_model(ensemble_model([member.load_model() for member in members]))
        (path / "metrics.json").write_text("{}")
    return run


@pytest.fixture(scope="session")
def join() -> Callable[..., Run]:
    """Makes one run of several."""
    return _join


@pytest.fixture(scope="session")
def process() -> Iterator[FreshProcess]:
    """One for all tests: each would take seconds to start."""
    with FreshProcess() as process:
        yield process


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _make_run(tmp_path_factory.mktemp("runs") / "tiny", bin_units=4, mark_units=4)


@pytest.fixture(scope="session")
def cnn_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is exported in no time."""
    return _make_run(tmp_path_factory.mktemp("runs") / "cnn", "cnn_alpha_beta")


@pytest.fixture(scope="session")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Runs that differ in their seed alone."""
    folder = tmp_path_factory.mktemp("members")
    return [_make_run(folder / f"seed-{seed}", "cnn_alpha_beta", seed=seed) for seed in (3, 4, 5)]


@pytest.fixture(scope="session")
def ensemble(
    members: list[Run], process: FreshProcess, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The export of the members."""
    models_dir = tmp_path_factory.mktemp("models")
    run_dirs = [member.path for member in members]
    return export_runs(run_dirs, models_dir, "ensemble", fresh_process=process)


@pytest.fixture(scope="session")
def variants(
    process: FreshProcess, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Run, Path]]:
    """A run of each variant, and its export."""
    folder = tmp_path_factory.mktemp("variants")
    exports = {}
    for variant in VARIANTS:
        run = _make_run(folder / "runs" / variant, variant, **SIZES.get(variant, {}))
        model_dir = export_runs([run.path], folder / "models", variant, fresh_process=process)
        exports[variant] = (run, model_dir)
    return exports


@pytest.fixture(scope="session")
def model(run: Run) -> keras.Model:
    return run.load_model()


@pytest.fixture(scope="session")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export, beside a version 6 and a folder that is no version."""
    models_dir = tmp_path_factory.mktemp("models")
    for neighbour in ("6", "notes"):
        (models_dir / "tiny" / neighbour).mkdir(parents=True)
    return export_run(run.path, models_dir, "tiny")


@pytest.fixture
def signal() -> np.ndarray:
    """Counts of seven genes."""
    random = np.random.default_rng(3)
    return random.poisson(3, (7, NUM_BINS, len(MARKS))).astype(np.float32)
