"""What a training is told: models, options, presets."""

import dataclasses
import json
import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.baselines import BASELINES, REGRESSORS, build_baseline
from keras_chrome.command_line import as_spelled, option
from keras_chrome.data import check_each_once
from keras_chrome.errors import InputError
from keras_chrome.fit.recipes import PLAIN, RECIPES, Recipe
from keras_chrome.models.registry import VARIANTS
from keras_chrome.runs import Run, RunConfig, open_run
from keras_chrome.vocabulary import (
    CALIBRATIONS,
    CORE_MARKS,
    FREEZES,
    LABELS,
    LSTM_READS,
    MARK_WEIGHTS,
    PRECISIONS,
    RECURRENCES,
    SCHEDULES,
    SPLIT_SCHEMES,
    STRATEGIES,
    TARGETS,
    TASKS,
    TRANSFORMS,
    split_scheme,
)

MODELS = (*VARIANTS, *BASELINES)
"""What `fit --model` takes: the names of all variants and baselines."""


def _of_recipe(name: str, help_text: str, **argument: Any) -> Any:
    """An option that is the recipe's if left out."""
    default = f"(default: {getattr(PLAIN, name)}, or the model's recipe)"
    return option(f"{help_text} {default}", default=None, group="training", **argument)


@dataclass(frozen=True)
class FitConfig:
    """Every option of `fit`, with its default.

    Words may be spelled as on the command line, see `as_spelled`. What is left out of how to train
    is the model's in `keras_chrome.fit.recipes`. A run's `config.json` holds all that was done:
    `marks` as the dataset spells them, the `targets`, and the whole recipe.

    Raises:
        InputError: If a value is out of range.
    """

    dataset: str = option(
        "built dataset: remc/E012, E012 for short, or its folder; remc/E012+E123 for one model of "
        "several epigenomes, all for one of every dataset in --data-dir"
    )
    run_dir: str | Path = option("run directory to write")
    data_dir: str | Path | None = option(
        "where datasets were built; TFDS's default if left out", default=None
    )
    model: str = option("variant or baseline", default="attentive_chrome", choices=MODELS)
    marks: tuple[str, ...] | None = option(
        "marks to use, in this order (default: all of the dataset; of several epigenomes those "
        "that all have, or with --mark-dropout any)",
        default=None,
    )
    task: str = option(
        "classification: whether expression is high; regression: log2(expression + 1)",
        default="classification",
        choices=TASKS,
    )
    labels: str = option(
        "median: high if rpkm > the epigenome's median; published: the authors' labels",
        default="median",
        choices=LABELS,
    )
    split: str = option(
        "dataset: the dataset's own splits; random: thirds; neighbours: thirds in which genes "
        "whose regions overlap by half or more stay together; disjoint: thirds in which genes "
        "whose regions overlap at all do; chromosome: whole chromosomes",
        default="dataset",
        choices=SPLIT_SCHEMES,
        type=split_scheme,
    )
    split_seed: int = option("seed of thirds", default=0)
    num_folds: int = option("folds of whole chromosomes", default=5)
    fold: int = option("fold to test on, from 0; the next one validates", default=0)
    targets: str | None = option(
        "what to train towards: hard, the label; soft, the probability of the label if expression "
        "were measured again; distilled, see --distill (default: soft where expression is known "
        "and labels are median, else hard)",
        default=None,
        choices=TARGETS,
    )
    leave_out: str | None = option(
        "dataset of an epigenome that is not trained on, though it be among those of --dataset, "
        "but tested on: on the genes that are test genes of the others",
        default=None,
    )
    target_width: float = option(
        "noise of expression that soft targets allow for, in doublings", default=1.0
    )
    distill: Path | None = option(
        "run whose probabilities for the training genes are the targets", default=None
    )
    dropout: float | None = option(
        "dropout rate; 0.5 for deep_chrome and cnn_attn, 0.1 for context_chrome and 0 for other "
        "variants if left out",
        default=None,
    )
    seed: int = option("seed of weights and shuffling", default=0)
    permute_labels: bool = option(
        "train and validate on shuffled labels, and test on the true ones: a sanity check, whose "
        "model has nothing to learn",
        default=False,
    )
    precision: str = option(
        "auto: mixed_float16 on a GPU with tensor cores, else float32",
        default="auto",
        choices=PRECISIONS,
    )
    recurrence: str = option(
        "code that runs the LSTMs in training: fused, or stock, which is Keras's own layer and "
        "cuDNN on a GPU; both compute the same",
        default="fused",
        choices=RECURRENCES,
    )
    transform: str = option(
        "log1p: log(1 + signal), standardised; none: the signal as it is",
        default="log1p",
        choices=TRANSFORMS,
    )
    calibrate: str = option(
        "temperature: divide the trained model's log-odds by the number that makes validation "
        "genes likeliest; none: leave them",
        default="temperature",
        choices=CALIBRATIONS,
    )
    mark_weights: str | None = option(
        "separate: one LSTM a mark; shared: one for all; of variants with an LSTM a mark, "
        "separate if left out",
        default=None,
        choices=MARK_WEIGHTS,
    )
    lstm_reads: str | None = option(
        "what the LSTM of a mark reads of each bin: own, its mark, or all marks; of "
        "attentive_chrome, own if left out",
        default=None,
        choices=LSTM_READS,
    )
    init_from: Path | None = option(
        "finished run of the same variant, marks and bins whose weights, and scale of the signal, "
        "are the start",
        default=None,
    )
    freeze: str = option(
        "encoder: train the last layer alone, `logit`, and keep what --init-from gives of all "
        "before it; none: train all",
        default="none",
        choices=FREEZES,
    )
    epigenome_bias: bool = option(
        "let each epigenome have a bias of its own in training, which the model does without",
        default=False,
    )
    strategy: str = option(
        "devices that train: none, one; mirrored, all of this machine; multiworker, those of all "
        "processes that TF_CONFIG names; see docs/distributed.md",
        default="none",
        choices=STRATEGIES,
    )
    worker_timeout_s: float = option(
        "how long the workers of --strategy multiworker wait for each other", default=300.0
    )
    stream: bool = option(
        "read the signal of each batch from the dataset's TFRecords, rather than all of it into "
        "memory",
        default=False,
    )
    resume: bool = option("go on with the run in --run-dir", default=False)
    overwrite: bool = option("put the new run in the place of the one in --run-dir", default=False)
    epochs: int | None = _of_recipe("epochs", "most epochs to train")
    batch_size: int | None = _of_recipe("batch_size", "genes a step")
    least_steps: int | None = _of_recipe(
        "least_steps",
        "steps that an epoch has at least: of few genes a step takes fewer, down to 16; 0 if "
        "--batch-size is given",
    )
    learning_rate: float | None = _of_recipe("learning_rate", "Adam's learning rate, the greatest")
    clip_norm: float | None = _of_recipe(
        "clip_norm", "greatest norm of a step's gradient; 0 for no limit"
    )
    patience: int | None = _of_recipe(
        "patience", "epochs without a better validation AUROC before stopping; 0 for never"
    )
    weight_decay: float | None = _of_recipe(
        "weight_decay", "weight decay of matrices, which makes Adam AdamW"
    )
    schedule: str | None = _of_recipe(
        "schedule",
        "how the learning rate rises and falls from step to step",
        choices=SCHEDULES,
    )
    warmup: float | None = _of_recipe("warmup", "share of a schedule's steps in which it rises")
    ema: float | None = _of_recipe(
        "ema", "momentum of the average of weights that is validated and kept; 0 for none"
    )
    regression_weight: float | None = _of_recipe(
        "regression_weight", "weight of a second loss, on the logarithm of the expression"
    )
    mixup: float | None = _of_recipe(
        "mixup", "mix training genes by twos, in shares of Beta(x, x); 0 for none"
    )
    gain: float | None = _of_recipe(
        "gain", "multiply each mark of a training gene by a factor exp(x z), z normal"
    )
    shift: int | None = _of_recipe("shift", "shift training genes by so many bins at most")
    empty_bins: float | None = _of_recipe(
        "empty_bins", "empty so large a share of the bins of training genes"
    )
    mark_dropout: float | None = _of_recipe(
        "mark_dropout",
        "empty so large a share of the marks of training genes; epigenomes may then lack marks",
    )

    def __post_init__(self) -> None:
        if self.marks is not None:
            marks = (self.marks,) if isinstance(self.marks, str) else tuple(self.marks)
            object.__setattr__(self, "marks", marks)
        for name in ("run_dir", "data_dir", "distill", "init_from"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(value).expanduser())
        object.__setattr__(self, "split", split_scheme(str(self.split)))
        for name, known in _WORDS.items():
            if (value := getattr(self, name)) is None:
                continue
            value = as_spelled(str(value), known)
            if value not in known:
                raise InputError(f"Expected one of {known}. Received: {name}={value!r}")
            object.__setattr__(self, name, value)
        if self.task == "regression":
            self._check_regression()
        self.recipe()  # `Recipe` checks what is in it.
        if not self.worker_timeout_s > 0:
            raise InputError(
                f"Expected a positive number. Received: worker_timeout_s={self.worker_timeout_s}"
            )
        if not 0 < self.target_width < math.inf:
            raise InputError(
                f"Expected a positive number. Received: target_width={self.target_width}"
            )
        if self.distill is not None and self.targets not in (None, "distilled"):
            raise InputError(f"Expected --distill or --targets {self.targets}. Received: both")
        if self.targets == "distilled" and self.distill is None:
            raise InputError("Expected --distill RUN with --targets distilled. Received: none")
        if not 0 <= (self.dropout or 0) < 1:
            raise InputError(f"Expected a rate in [0, 1). Received: dropout={self.dropout}")
        if self.num_folds < 3:
            raise InputError(f"Expected at least 3 folds. Received: num_folds={self.num_folds}")
        if not 0 <= self.fold < self.num_folds:
            raise InputError(
                f"Expected a fold from 0 to {self.num_folds - 1}. Received: fold={self.fold}"
            )
        if self.resume and self.overwrite:
            raise InputError("Expected --resume or --overwrite. Received: both")
        alone = ("mark_dropout", "init_from", "epigenome_bias")
        of_variants = {n: v for n in alone if (v := getattr(self, n))} | self.variant_options()
        if self.model in BASELINES and of_variants:
            raise InputError(
                f"Expected no options of variants with a baseline. Received: model={self.model!r}, "
                + ", ".join(f"{k}={v!r}" for k, v in of_variants.items())
            )
        if self.model in BASELINES and (self.strategy != "none" or self.stream):
            raise InputError(
                "Expected --strategy none and no --stream with a baseline. Received: "
                f"model={self.model!r}, strategy={self.strategy!r}, stream={self.stream}"
            )
        if self.marks is not None:
            check_each_once(self.marks)
        if self.freeze != "none" and self.init_from is None:
            raise InputError(
                f"Expected --init-from RUN with --freeze {self.freeze}. Received: none"
            )

    def _check_regression(self) -> None:
        """Refuse what is of labels alone; there are no log-odds to calibrate, either."""
        object.__setattr__(self, "calibrate", "none")
        expected = {
            "model": (self.model, (*VARIANTS, *REGRESSORS)),
            "labels": (self.labels, ("median",)),
            "targets": (self.targets, (None, "hard")),
            "distill": (self.distill, (None,)),
            "regression_weight": (self.regression_weight, (None, 0)),
        }
        for name, (value, known) in expected.items():
            if value not in known:
                words = [str(word) for word in known if word is not None]
                raise InputError(
                    f"Expected {name} {' or '.join(words) or 'left out'} with --task regression. "
                    f"Received: {name}={value!r}"
                )

    def recipe(self) -> Recipe:
        """How to train: the model's recipe, and what is given beside it."""
        given = {
            field.name: value
            for field in dataclasses.fields(Recipe)
            if (value := getattr(self, field.name)) is not None
        }
        if "batch_size" in given:
            given.setdefault("least_steps", 0)
        of_model = RECIPES.get(self.model, PLAIN)
        if self.task == "regression":
            # Its one loss is the one that this would be the second of.
            of_model = dataclasses.replace(of_model, regression_weight=0.0)
        return dataclasses.replace(of_model, **given)

    def chosen_targets(self, *median_rpkm: float | None) -> str:
        """The targets, also where the options leave them out.

        They are soft where expression is known and the labels are those of the median: the
        published ones are no threshold on it.

        Args:
            *median_rpkm: Each epigenome's, None where expression is unknown.
        """
        if self.targets is not None:
            return self.targets
        if self.distill is not None:
            return "distilled"
        if self.task == "regression":
            return "hard"
        is_threshold = self.labels == "median" and all(map(knows_expression, median_rpkm))
        return "soft" if is_threshold and takes_soft_targets(self.model) else "hard"

    def variant_options(self) -> dict[str, Any]:
        """The options that not every model has, as far as they are given."""
        names = ("mark_weights", "lstm_reads", "dropout")
        options = {name: getattr(self, name) for name in names}
        return {name: value for name, value in options.items() if value is not None}


def knows_expression(median_rpkm: float | None) -> bool:
    """Whether a dataset has expression that a logarithm can be taken of, by its median."""
    return median_rpkm is not None and median_rpkm >= 0


def takes_soft_targets(model: str) -> bool:
    """Whether a model can be trained towards numbers between 0 and 1; every variant can."""
    if model not in BASELINES:
        return True
    return build_baseline(model, marks=("any",)).takes_soft_targets


_WORDS: dict[str, Sequence[str]] = {
    "model": MODELS,
    "task": TASKS,
    "labels": LABELS,
    "split": SPLIT_SCHEMES,
    "targets": TARGETS,
    "precision": PRECISIONS,
    "recurrence": RECURRENCES,
    "transform": TRANSFORMS,
    "mark_weights": MARK_WEIGHTS,
    "lstm_reads": LSTM_READS,
    "schedule": SCHEDULES,
    "strategy": STRATEGIES,
    "freeze": FREEZES,
    "calibrate": CALIBRATIONS,
}
"""The options that are one of several words, and these."""

_PLAIN_TRAINING = {"targets": "hard", "calibrate": "none", **dataclasses.asdict(PLAIN)}

PRESETS: dict[str, dict[str, Any]] = {
    # As every variant was trained before each had its recipe.
    "plain": _PLAIN_TRAINING,
    # As published: Adam at 1e-4, batches of 16, gradients clipped to norm 1, counts as they are,
    # the authors' labels, the epoch with the best validation AUROC. It levels off before 30.
    "paper": {
        **_PLAIN_TRAINING,
        "marks": CORE_MARKS,
        "labels": "published",
        "transform": "none",
        "learning_rate": 1e-4,
        "batch_size": 16,
        "clip_norm": 1.0,
        "epochs": 30,
        "patience": 30,
    },
}
"""What `fit --preset` takes: a name, and the options of `FitConfig` that it stands for."""


@dataclass(frozen=True, kw_only=True)
class PresetOption:
    """The option that takes the defaults from `PRESETS`."""

    preset: str | None = option(
        "take the defaults from here: paper is the published training, plain the same for every "
        "variant, without what its recipe adds; options given beside it still count",
        default=None,
        choices=sorted(PRESETS),
    )


def run_of(file: str | Path) -> Run:
    """The run whose `config.json`, or whose directory, a file is.

    Raises:
        InputError: If it is none.
    """
    path = Path(file).expanduser()
    return open_run(path.parent if path.name == "config.json" else path)


def options_of(file: str | Path, given: Collection[str] = ()) -> dict[str, Any]:
    """The options of a run, for another that is the same.

    Args:
        file: The run's `config.json`, or its directory.
        given: Names of options that are given beside them. A batch size that is given is taken as
            it is, as it is without the others.

    Returns:
        All options but those that say where the run lies, and whether it is begun or gone on with.

    Raises:
        InputError: If it is no run that was trained here.

    Example:
        >>> fit(**options_of("runs/a/config.json"), run_dir="runs/b")
    """
    run = run_of(file)
    if run.config.dataset is None or run.config.kind == "ensemble":
        raise InputError(
            f"Expected the config.json of a run that fit has trained. Received: {file}, of "
            + ("an ensemble" if run.config.kind == "ensemble" else "imported weights")
        )
    left_out = {"run_dir", "resume", "overwrite", "strategy", "worker_timeout_s", "stream"}
    if "batch_size" in given:
        left_out |= {"least_steps"}
    names = {field.name for field in dataclasses.fields(FitConfig)} - left_out
    return {name: value for name, value in run.config.options.items() if name in names}


def as_arguments(config: FitConfig) -> Iterator[str]:
    """The options as they are typed: those that are not the defaults."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        flag = field.name.replace("_", "-")
        if value == field.default:
            continue
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        elif isinstance(value, tuple):
            yield from (f"--{flag}", *map(str, value))
        else:
            yield f"--{flag}={value}"


def changed_options(config: FitConfig, earlier: RunConfig, *, free: Collection[str]) -> list[str]:
    """The options that are not what a run was made with, each as `name=value (was value)`.

    The dataset is compared by its contents, where it is read, and not by its name here.

    Args:
        config: The options now.
        earlier: The run's.
        free: Names of options that may change.
    """
    now = {**dataclasses.asdict(config), **dataclasses.asdict(config.recipe())}
    if earlier.dataset is not None:
        now["targets"] = config.chosen_targets(*earlier.dataset.medians)
    if earlier.dataset is not None and earlier.dataset.marks is not None:
        held = earlier.dataset.marks
        now["marks"] = held if config.marks is None else [as_spelled(m, held) for m in config.marks]
    return [
        f"{name}={value!r} (was {before!r})"
        for name, value in json.loads(json.dumps(now, default=os.fspath)).items()
        if name not in {"dataset", *free} and value != (before := earlier.options.get(name))
    ]
