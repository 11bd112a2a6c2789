"""Hold importance against a mark that was not used in training: the paper's Table 3, and beyond.

As a command: `python -m keras_chrome.compare runs/E116 --validation-mark H3K27ac`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_chrome.command_line import option
from keras_chrome.data.orientation import along_transcription
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, compute_importance, methods_of
from keras_chrome.runs import open_study
from keras_chrome.runs.validation_mark import MARK, ValidationArguments, read_validation_mark
from keras_chrome.statistics.bootstrap import (
    interval95,
    known_mean,
    mean_interval95,
    mean_profiles,
)
from keras_chrome.tables import wrapped
from keras_chrome.vocabulary import LABELS, SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs import Study
    from keras_chrome.runs.validation_mark import ValidationMark

NAIVE_METHODS = ("signal", "tss_distance")
"""What an importance must beat: the mark's own signal, and being near the TSS."""

DIRECTIONS = ("transcription", "dataset")


@dataclass(frozen=True, kw_only=True)
class CompareConfig(ValidationArguments):
    """Every option of `compare`, with its default.

    Raises:
        InputError: If a value is unknown.
    """

    mark: str = option("mark whose importance is compared with the other", default=MARK)
    methods: tuple[str, ...] | None = option(
        "importance methods; all that a model has if left out", default=None, choices=METHODS
    )
    dataset: str | None = option("built dataset; each run's own if left out", default=None)
    data_dir: str | Path | None = option(
        "where datasets were built; as in training if left out", default=None
    )
    labels: str | None = option(
        "label rule; each run's own if left out", default=None, choices=LABELS
    )
    split: str = option("genes", default="test", choices=(*SPLITS, "all"))
    direction: str = option(
        "transcription: bins of minus-strand genes are turned round before profiles are averaged; "
        "dataset: bins as they are, as in the paper",
        default="transcription",
        choices=DIRECTIONS,
    )
    max_genes: int = option("at most so many genes predicted ON, drawn at random", default=1000)
    seed: int = option("seed of the draw and of the bootstrap", default=0)

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise InputError(
                f"Expected one of {DIRECTIONS}. Received: direction={self.direction!r}"
            )
        if unknown := [m for m in self.methods or () if m not in METHODS]:
            raise InputError(f"Expected among {sorted(METHODS)}. Received: methods={unknown}")
        if flat := [m for m in self.methods or () if not METHODS[m].resolves_bins]:
            raise InputError(
                f"Expected methods that tell bins apart. Received: methods={', '.join(flat)}"
            )
        if self.max_genes < 1:
            raise InputError(f"Expected at least 1. Received: max_genes={self.max_genes}")


class Row(NamedTuple):
    """One correlation.

    Attributes:
        run: The run directory.
        epigenome: Name of its dataset.
        variant: Its model.
        method: Importance method, or one of `NAIVE_METHODS`.
        level: `profile`: of the means over genes, as in the paper; `gene`: mean over genes of
            each gene's own.
        statistic: `pearson` or `spearman`.
        control: What is held fixed: `none`; `signal` of the mark itself; `distance` to the TSS;
            `both`. Pearson's takes a control and its logarithm.
        r: The correlation; NaN where the method is a copy of the control, or constant.
        low: 2.5 % percentile of it over bootstrap samples of the genes.
        high: 97.5 % percentile.
        num_genes: Genes predicted ON that it is of.
        mark: The mark whose importance it is.
        validation_mark: The mark that it is held against.
        validation_dataset: The dataset that holds that one's signal.
    """

    run: str
    epigenome: str
    variant: str
    method: str
    level: str
    statistic: str
    control: str
    r: float
    low: float
    high: float
    num_genes: int
    mark: str
    validation_mark: str
    validation_dataset: str


def compare(run_dirs: Sequence[str | Path], config: CompareConfig | None = None) -> pd.DataFrame:
    """Correlate importance with the signal of a mark that no model has seen.

    Over the genes that a run's model predicts ON, the importance of the bins of one mark
    (H3K4me3, which marks active promoters) is held against the signal of another (H3K27ac, which
    marks active promoters, too). A method that only finds the mark's own signal, or the TSS,
    correlates as well: their own correlations stand beside, and partial correlations say what is
    left when they are held fixed.

    Args:
        run_dirs: Runs, such as one an epigenome.
        config: The options.

    Returns:
        A `Row` a run, method, level, statistic and control.

    Raises:
        InputError: If a run was trained on the validation mark, no dataset of its epigenome holds
            it, no gene is predicted ON, or a model lacks what a method needs.

    Example:
        >>> compare(["runs/E116", "runs/E123"], CompareConfig(methods=("alpha", "saliency")))

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, Table 3.
    """
    import pandas as pd

    config = config or CompareConfig()
    rows: list[Row] = []
    for run_dir in run_dirs:
        rows += _compare_run(run_dir, config)
    return pd.DataFrame(rows, columns=list(Row._fields))


def _compare_run(run_dir: str | Path, config: CompareConfig) -> list[Row]:
    study = open_study(
        run_dir,
        split=config.split,
        dataset=config.dataset,
        data_dir=config.data_dir,
        labels=config.labels,
    )
    column = study.mark(config.mark)
    validation = read_validation_mark(
        study,
        config.validation_mark,
        dataset=config.validation_dataset,
        data_dir=config.data_dir,
        across_epigenomes=config.across_epigenomes,
    )
    study, coverage = _genes_on(study, validation, config)
    genes = study.genes
    background = study.background()
    from keras_chrome.importance.duration import estimate

    def profile(values: np.ndarray) -> np.ndarray:
        return along_transcription(values, genes) if config.direction == "transcription" else values

    signal = profile(genes.signal[:, :, column])
    distance = np.broadcast_to(study.tss_distance_bp, signal.shape)
    importance = {"signal": signal, "tss_distance": -distance}
    methods = config.methods or methods_of(study.model, resolves_bins=True)
    print(estimate(methods, study.model, genes.signal), flush=True)
    for method in methods:
        values = compute_importance(method, study.model, genes.signal, background=background)
        importance[method] = profile(values[:, :, column])
    return [
        Row(
            str(run_dir),
            study.dataset.epigenome,
            study.run.model_name,
            method,
            *correlation,
            mark=study.run.marks[column],
            validation_mark=validation.mark,
            validation_dataset=validation.dataset,
        )
        for method, values in importance.items()
        for correlation in correlations(
            values, profile(coverage), signal=signal, distance_bp=distance, seed=config.seed
        )
    ]


def _genes_on(
    study: Study, validation: ValidationMark, config: CompareConfig
) -> tuple[Study, np.ndarray]:
    """The genes to compare, and the signal of the validation mark there."""
    is_on = study.is_on
    rows = np.flatnonzero(is_on & validation.has_signal)
    if not len(rows):
        raise InputError(
            f"Expected genes of {study.dataset.name}, split {study.genes.split!r}, that the model "
            f"predicts ON and {validation.dataset} holds. Received: {is_on.sum()} predicted ON, "
            f"{validation.has_signal.sum()} held, none both"
        )
    num_on = len(rows)
    if num_on > config.max_genes:
        rng = np.random.default_rng(config.seed)
        rows = np.sort(rng.permutation(rows)[: config.max_genes])
    counted = (
        f"{study.run.path}: {is_on.sum()} of {len(is_on)} genes predicted ON, {num_on} of them "
        f"with {validation.mark} in {validation.dataset}, {len(rows)} compared"
    )
    print(wrapped(counted), flush=True)
    is_chosen = np.zeros(len(is_on), bool)
    is_chosen[rows] = True
    genes = study.genes.subset(study.genes.split, is_chosen)
    return dataclasses.replace(study, genes=genes), validation.signal[rows]


def correlations(
    importance: np.ndarray,
    coverage: np.ndarray,
    *,
    signal: np.ndarray,
    distance_bp: np.ndarray,
    seed: int = 0,
) -> list[tuple[str, str, str, float, float, float, int]]:
    """Correlate one importance with one coverage, in every way that `Row` lists.

    Args:
        importance: Of one mark, floats `(genes, bins)`.
        coverage: Signal of the validation mark, likewise.
        signal: Signal of the mark itself, likewise.
        distance_bp: Of the bins from the TSS, likewise, above 0.
        seed: Seeds the bootstrap.

    Returns:
        The fields of `Row` from `level` to `num_genes`.
    """
    from keras_chrome.statistics.correlation import STATISTICS, bin_correlation

    # In one array, so that a bootstrap sample has the same genes for all three.
    profiles = np.stack([importance, coverage, signal], axis=1)
    x_means, y_means, signal_means = mean_profiles(profiles, seed=seed).swapaxes(0, 1)
    rows = []
    for statistic in STATISTICS:
        for control in ("none", "signal", "distance", "both"):

            def correlated(
                x: np.ndarray,
                y: np.ndarray,
                signal: np.ndarray,
                statistic: str = statistic,
                control: str = control,
            ) -> np.ndarray:
                held = [np.log1p(signal), signal] if control in ("signal", "both") else []
                if control in ("distance", "both"):
                    held += [distance_bp[:1], np.log(distance_bp[:1])]
                if statistic == "spearman":  # A logarithm has the same ranks.
                    held = held[::2]
                return bin_correlation(x, y, held, statistic=statistic)

            of_means = correlated(x_means, y_means, signal_means)
            low, high = interval95(of_means[1:])
            of_whole = ("profile", statistic, control, float(of_means[0]), low, high)
            rows.append((*of_whole, len(importance)))

            of_genes = correlated(importance, coverage, signal)
            low, high = mean_interval95(of_genes, seed=seed)
            num_known = int(np.isfinite(of_genes).sum())
            rows.append(("gene", statistic, control, known_mean(of_genes), low, high, num_known))
    return rows
