"""A run directory: all that a trained model leaves on disk.

`model.keras` (`model.joblib` of a baseline, `members/` of an ensemble that has one), `config.json`
(every option, versions, seed, git revision, the dataset and its fingerprint), `splits.csv`,
`history.csv`, `metrics.json`, `predictions.csv`, `checkpoints/` (to resume), `logs/` (TensorBoard).
`metrics.json` is written last: a run that has it is finished. Each file is written under a
temporary name and then renamed: a killed run leaves the old file or the new one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import numpy as np

from keras_chrome.atomic import atomic_path
from keras_chrome.baselines import Baseline
from keras_chrome.command_line import as_spelled
from keras_chrome.data import load_genes
from keras_chrome.data.epigenomes import open_datasets
from keras_chrome.errors import InputError
from keras_chrome.models.mixed_ensemble import MixedEnsemble
from keras_chrome.models.task import CLASSIFICATION, TASKS, Task
from keras_chrome.runs.array_reader import read_arrays
from keras_chrome.runs.config import FORMAT_VERSION, RunConfig
from keras_chrome.runs.csv_reader import Kind, read_table
from keras_chrome.runs.files import LOCK, locked, write_json
from keras_chrome.runs.json_reader import checked, read_json, shown
from keras_chrome.vocabulary import SPLITS

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from keras_chrome.data import Dataset, Genes

Model: TypeAlias = "keras.Model | Baseline | MixedEnsemble"
_PACKAGES = ("keras-chrome", "tensorflow", "keras", "tensorflow-datasets", "numpy")
_EVALUATE = "`python -m keras_chrome.evaluate` writes it of a finished run"
_SUFFIXES = {"variant": ".keras", "ensemble": ".keras", "baseline": ".joblib"}
_WRITTEN_BY = {
    "metrics.json": _EVALUATE,
    "predictions.csv": _EVALUATE,
    "history.csv": "`fit` writes it after each epoch of a variant; other models have no epochs",
    "splits.csv": "`fit` writes it when it begins; imported weights have none",
}
WITHOUT_CHECKPOINT = "delete it to train from the start"
"""What becomes of a run whose checkpoint cannot be taken up."""

_GENES: Mapping[str, Kind] = {"gene_id": "text", "split": "text"}
_NAMES: Mapping[str, Kind] = {"epigenome": "text", "transcript_id": "text"}


class _Configuration(TypedDict):
    """What the configurations of all versions have."""

    format_version: int


class _Score(TypedDict, total=False):
    """What is measured of genes; whether of classification or of regression, the task says."""

    num_genes: int
    auroc: float
    auroc_ci95: list[float]
    auprc: float
    log_loss: float
    brier: float
    pearson: float
    pearson_ci95: list[float]
    spearman: float
    r2: float
    ece: float
    mean_probability: float
    positive_rate: float
    mean_auroc: float
    mean_pearson: float
    epigenomes: dict[str, _Score]
    expression_elsewhere: dict[str, _Score]


class _Tested(TypedDict):
    test: _Score


class _Metrics(_Tested, total=False):
    valid: _Score
    left_out: _Score
    task: Literal["classification", "regression"]
    scale: str
    label_rule: str
    training_precision: str
    genes_per_second: float
    epochs_run: int
    best_epoch: int
    temperature: float
    wall_s: float


@dataclass(frozen=True)
class Run:
    """A run directory and what made it.

    `metrics`, `history`, `predictions` and `splits` are read from their files whenever they are
    asked for: they say what is on disk now.

    Attributes:
        path: The directory.
        config: What `config.json` holds.

    Example:
        >>> run = open_run("runs/E012")
        >>> run.metrics["test"]["auroc"]
        >>> run.history.plot("epoch", "val_auroc")
        >>> run.predictions.query("split == 'test'")
    """

    path: Path
    config: RunConfig

    def __repr__(self) -> str:
        dataset = f" on {self.config.dataset.name}" if self.config.dataset else ""
        return f"Run({str(self.path)!r}, {self.model_name}{dataset})"

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks that the model was trained on, in order."""
        return self.config.marks

    def find_mark(self, name: str) -> str:
        """A mark that the model was trained on, by its name in any spelling of `as_spelled`.

        Raises:
            InputError: If it was not trained on it.
        """
        if (mark := as_spelled(name, self.marks)) not in self.marks:
            raise InputError(
                f"Expected a mark that {self.path} was trained on ({', '.join(self.marks)}). "
                f"Received: mark={name!r}"
            )
        return mark

    @property
    def model_name(self) -> str:
        """The variant or baseline; `ensemble`."""
        return self.config.model

    @property
    def labels(self) -> str:
        """The label rule that the model was trained on."""
        return self.config.labels

    @property
    def task(self) -> Task:
        """What the model tells of a gene."""
        return TASKS[self.config.options.get("task", "classification")]

    def check_classifies(self) -> None:
        """See that the model tells a probability, for what has no meaning without.

        Raises:
            InputError: If it does not.
        """
        if self.task is not CLASSIFICATION:
            raise InputError(
                "Expected a run of classification, which tells the probability of high expression. "
                f"Received: {self.path}, of {self.task.name}"
            )

    @property
    def is_finished(self) -> bool:
        """Whether all is there: `metrics.json` is written last."""
        return (self.path / "metrics.json").is_file()

    @property
    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` holds: `valid` and `test`, each with auroc, auprc and so on.

        Of regression, with pearson, spearman and r2.

        Raises:
            InputError: If training did not finish, or the weights were imported: `evaluate` writes
                metrics of any dataset then.
        """
        return read_metrics(self._file("metrics.json"))

    @property
    def history(self) -> pd.DataFrame:
        """A row an epoch: epoch, loss, val_loss, val_auroc, genes_per_second, wall_s.

        Of regression val_pearson stands in the place of val_auroc.

        Raises:
            InputError: If no epoch is over, or the model has none: it is a baseline, an ensemble,
                or imported.
        """
        return read_history(self._file("history.csv"), self.task)

    @property
    def predictions(self) -> pd.DataFrame:
        """A row a validation or test gene: gene_id, split, label, probability.

        Of an ensemble also probability_sd, the standard deviation over its members.
        Of regression measured, predicted and predicted_sd, log2(expression + 1), stand in their
        place.

        Raises:
            InputError: As `metrics` does.
        """
        return read_predictions(self._file("predictions.csv"), self.task)

    @property
    def splits(self) -> pd.DataFrame:
        """A row a gene that was trained, validated or tested on: gene_id, split.

        Raises:
            InputError: If the weights were imported.
        """
        return read_splits(self._file("splits.csv"))

    def _file(self, name: str) -> Path:
        if not (path := self.path / name).is_file():
            raise InputError(
                f"Expected {name} in {self.path}. Received: a run of {self.model_name} without; "
                f"{_WRITTEN_BY[name]}"
            )
        return path

    @property
    def checkpoint_path(self) -> Path:
        """Where training goes on from, if it was broken off."""
        return _checkpoint_path(self.path)

    def open_dataset(self, name: str | None = None, data_dir: str | Path | None = None) -> Dataset:
        """Open the dataset that the run was trained on, or another of the same shape.

        If the run was trained with mark dropout, marks that it lacks are zero in every bin.

        Args:
            name: A built dataset, or several as for `open_datasets`; the run's own if None.
            data_dir: Where datasets were built; where the run found its own if None.

        Raises:
            InputError: If there is no such dataset, or it has other bins than the model.
        """
        options, own = self.config.options, self.config.dataset
        if name is None:
            if own is None:
                raise InputError(
                    f"Expected a dataset. Received: {self.path}, which was not trained on one "
                    "here; name one with --dataset"
                )
            # The run may have been told the folder of a version.
            name = options.get("dataset") or own.name
        any_mark = bool(options.get("mark_dropout"))
        dataset = open_datasets(name, data_dir or options.get("data_dir"), any_mark=any_mark)
        if any_mark:
            dataset = dataset.reading(self.marks)
        expected = dataclasses.asdict(self.config.bins)
        if (found := {k: getattr(dataset, k) for k in expected}) != expected:
            raise InputError(
                f"Expected the bins that {self.path} was trained on ({_items(expected)}). "
                f"Received: {dataset.name} with {_items(found)}"
            )
        return dataset

    def load_genes(
        self, split: str, *, dataset: Dataset | None = None, labels: str | None = None
    ) -> Genes:
        """Read the labelled genes of one of the run's splits.

        A run that was trained on the dataset's own splits takes those of any dataset. Another
        run takes the genes, by their ids, that `splits.csv` puts into the split.

        Args:
            split: `train`, `valid` or `test`; `all` for every gene of the dataset.
            dataset: From `open_dataset`; the run's own if None.
            labels: Label rule; the run's own if None.

        Raises:
            InputError: If the dataset lacks a mark of the run.
        """
        dataset, labels = dataset or self.open_dataset(), labels or self.labels
        if split == "all" or self.config.split == "dataset":
            return load_genes(dataset, split, marks=self.marks, labels=labels)
        ids = self.gene_ids(split)
        genes = load_genes(dataset, marks=self.marks, labels=labels)
        return genes.subset(split, np.isin(genes.gene_id, ids))

    def gene_ids(self, split: str) -> list[str]:
        """The ids of the genes that `splits.csv` puts into a split.

        Raises:
            InputError: As `splits` does.
        """
        splits = self.splits
        return splits["gene_id"][splits["split"] == split].to_list()

    def save_model(self, model: keras.Model | Baseline) -> None:
        """Write `model.keras`, or `model.joblib` of a baseline."""
        (file,) = self.model_files
        with atomic_path(file) as temporary:
            model.save(temporary)

    def load_model(self) -> Model:
        """Load the model: what `save_model` wrote, or the members of a mixed ensemble.

        Raises:
            InputError: If it is missing: training did not finish.
        """
        parts = [self._load(file) for file in self.model_files]
        if not self._is_mixed:
            return parts[0]
        return MixedEnsemble(parts, [member.weight for member in self.config.counted_members])

    def _load(self, file: Path) -> keras.Model | Baseline:
        if not file.is_file():
            raise InputError(
                f"Expected a finished run. Received: {self.path} without {file.name}. Finish it "
                "with `python -m keras_chrome.fit --resume` and the run's own options"
            )
        if file.suffix == ".joblib":
            return Baseline.load(file)
        from keras_chrome.models.network_file import load_network

        return load_network(file, self._signal_shape, self.task)

    @property
    def _signal_shape(self) -> tuple[int, int]:
        """Of a gene, as the model reads it: `(bins, marks)`."""
        num_bins = self.config.arguments.get("num_bins", self.config.bins.num_bins)
        return num_bins, len(self.marks)

    @property
    def model_files(self) -> list[Path]:
        """Where the model is: one file, or one for each member of a mixed ensemble."""
        if self._is_mixed:
            return [
                self.path / "members" / f"{number}{_SUFFIXES[member.kind]}"
                for number, member in enumerate(self.config.counted_members, start=1)
            ]
        return [self.path / f"model{_SUFFIXES[self.config.kind]}"]

    @property
    def _is_mixed(self) -> bool:
        return self.config.kind == "ensemble" and bool(self.config.without_graph)


@contextmanager
def new_run(
    path: str | Path,
    *,
    options: Mapping[str, Any],
    model: Mapping[str, Any],
    dataset: Mapping[str, Any],
    verb: str = "a command",
) -> Iterator[Run]:
    """Make a run directory, with its configuration, for a block that fills it.

    Args:
        path: The directory.
        options: As for `begin_run`.
        model: Likewise.
        dataset: Likewise.
        verb: What makes it.

    Raises:
        InputError: If it holds a run, or another process writes into it.
    """
    with writing(path, verb):
        check_free(path)
        yield begin_run(path, options=options, model=model, dataset=dataset)


def check_free(path: str | Path) -> None:
    """See that a directory holds no run.

    Raises:
        InputError: If it does.
    """
    if (Path(path).expanduser() / "config.json").exists():
        raise InputError(
            f"Expected a run directory of its own. Received: run_dir={str(path)!r}, which holds a "
            "run; take another"
        )


@contextmanager
def writing(path: str | Path, verb: str) -> Iterator[None]:
    """Let nobody else write into a run directory while a block does.

    If the block fails before there is a checkpoint to resume from, the directory is removed,
    unless it held something before.

    Args:
        path: The directory; made if it is not there.
        verb: What writes into it.

    Raises:
        InputError: If another process does.
    """
    path = Path(path).expanduser()
    with locked(path, verb, "--run-dir") as lock:
        is_ours = [file.name for file in path.iterdir()] == [Path(lock.name).name]
        try:
            yield
        except BaseException:
            if is_ours and not _checkpoint_path(path).exists():
                shutil.rmtree(path, ignore_errors=True)
            raise


def begin_run(
    path: str | Path,
    *,
    options: Mapping[str, Any],
    model: Mapping[str, Any],
    dataset: Mapping[str, Any],
) -> Run:
    """Write the configuration of a run, which is unfinished from now on.

    A directory that holds none yet holds no checkpoint to resume from, either.

    Args:
        path: The directory.
        options: Of the command.
        model: The name of the `variant` or `baseline`, or the members of the `ensemble`, and the
            arguments that built it.
        dataset: From `Dataset.description`, or of imported weights the bins.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "options": options,
        "model": model,
        "dataset": dataset,
        "versions": {name: version(name) for name in _PACKAGES},
        "python": sys.version.split()[0],
        "git_revision": _git_revision(),
    }
    # As it will be read: paths are text there, and tuples lists.
    content = json.loads(json.dumps(content, default=os.fspath))
    run = Run(Path(path).expanduser(), RunConfig.from_json(content))
    (run.path / "metrics.json").unlink(missing_ok=True)
    if not (run.path / "config.json").exists():
        run.checkpoint_path.unlink(missing_ok=True)
    write_json(run.path / "config.json", content)
    return run


def remove_run(path: Path) -> None:
    """Empty a run directory of all but its lock; a folder that holds no run is left alone.

    Broken off anywhere it leaves an unfinished run without a checkpoint, which goes on to nothing
    else than its own options say.
    """
    if not (path / "config.json").is_file():
        return
    first, last = ("metrics.json", "checkpoints"), ("config.json",)
    others = {file.name for file in path.iterdir()} - {*first, *last, LOCK}
    for name in (*first, *others, *last):
        if (file := path / name).is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)


def open_run(path: str | Path) -> Run:
    """Open a run directory.

    Raises:
        InputError: If it is missing, is no run directory or was written by another version.
    """
    path = Path(path).expanduser()
    file = path / "config.json"
    if not file.is_file():
        raise InputError(f"Expected a run directory with config.json. Received: run={str(path)!r}")
    what, remedy = "the configuration of a run as JSON", "train it again"
    content = read_json(file, _Configuration, what=what, remedy=remedy)
    try:
        if (found := content["format_version"]) == FORMAT_VERSION:
            return Run(path, RunConfig.from_json(content))
        versions = checked("versions", content.get("versions", {}), dict[str, str])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"Expected {what}. Received: {file} ({type(error).__name__}: {error}); {remedy}"
        ) from None
    raise InputError(
        f"Expected a run of format version {FORMAT_VERSION}. Received: {path}, of version "
        f"{found}, written by keras-chrome {versions.get('keras-chrome', 'unknown')}; {remedy}"
    )


def num_epochs_saved(path: Path) -> int:
    """After how many epochs a broken-off training in a directory would go on."""
    if not (file := _checkpoint_path(path)).is_file():
        return 0
    return len(json.loads(str(read_checkpoint(file)["history"])))


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint, by name.

    Raises:
        InputError: If it is damaged.
    """
    return read_arrays(path, what="a checkpoint of training", remedy=WITHOUT_CHECKPOINT)


def _checkpoint_path(path: Path) -> Path:
    return path / "checkpoints" / "last.npz"


def _items(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in values.items())


def _git_revision() -> str | None:
    """The revision of the source that runs, `-dirty` if changed; None outside a checkout."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def read_metrics(path: Path) -> dict[str, Any]:
    """A `metrics.json`; empty if there is none.

    Raises:
        InputError: If it is damaged.
    """
    if not path.is_file():
        return {}
    remedy = f"delete it, and {_again(path)}"  # which would keep what it says of the training
    what = "metrics.json as `fit` writes them"
    metrics: dict[str, Any] = read_json(path, _Metrics, what=what, remedy=remedy)
    task = TASKS[metrics.get("task", CLASSIFICATION.name)]
    for split in ("valid", "test"):
        if split in metrics and task.monitor not in metrics[split]:
            raise InputError(
                f"Expected {what}. Received: {path} without the {task.monitor} of {split}; {remedy}"
            )
    return metrics


def read_predictions(path: Path, task: Task) -> pd.DataFrame:
    """A `predictions.csv`, as `Run.predictions`.

    Raises:
        InputError: If it is missing or damaged.
    """
    truth, answer = task.column_names
    truth_kind: Kind = "integer" if task is CLASSIFICATION else "number"
    columns: dict[str, Kind] = {**_GENES, truth: truth_kind, answer: "number"}
    more: dict[str, Kind] = {**_NAMES, f"{answer}_sd": "number"}
    return read_table(path, columns, more=more, remedy=_again(path))


def read_splits(path: Path) -> pd.DataFrame:
    """A `splits.csv`, as `Run.splits`.

    Raises:
        InputError: If it is missing or damaged.
    """
    splits = read_table(path, _GENES, more=_NAMES, remedy="train the run again")
    if not (is_known := splits["split"].isin(SPLITS)).all():
        raise InputError(
            f"Expected one of {', '.join(SPLITS)} as split. Received: {path} with "
            f"{shown(splits['split'][~is_known].iloc[0])}; train the run again"
        )
    return splits


def read_history(path: Path, task: Task) -> pd.DataFrame:
    """A `history.csv`, as `Run.history`.

    Raises:
        InputError: If it is missing or damaged.
    """
    # A loss may have grown beyond all numbers.
    losses = ("loss", "val_loss", f"val_{task.monitor}")
    columns: dict[str, Kind] = {"epoch": "integer", **dict.fromkeys(losses, "number or none")}
    more: dict[str, Kind] = {"genes_per_second": "number or none", "wall_s": "number or none"}
    return read_table(path, columns, more=more, remedy="train the run again")


def _again(path: Path) -> str:
    return f"write it anew with `python -m keras_chrome.evaluate {path.parent}`"
