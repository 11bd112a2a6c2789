"""Models compared on the epigenomes that all of them were tested on."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np

from keras_chrome.statistics.calibration import Calibration
from keras_chrome.statistics.paired_tests import (
    MIN_EPIGENOMES,
    ROUNDING,
    PairedTest,
    Placements,
    auroc_with_error,
    compare_placements,
    compare_samples,
    holm,
    logit_interval,
    over_genes_and_seeds,
    wilcoxon_test,
)


@dataclass(frozen=True)
class Measurement:
    """A model on the test genes of an epigenome.

    Attributes:
        placements: By fold, the genes' placements.
        samples: By fold, what `auroc_samples` makes of them, with the same genes for all models.
        calibrations: By fold, floats `(seeds, 3)`: a `Calibration` of each.
        is_deterministic: Whether a training does not depend on its seed.
    """

    placements: dict[int, Placements]
    samples: dict[int, np.ndarray]
    calibrations: dict[int, np.ndarray]
    is_deterministic: bool = False

    @property
    def folds(self) -> list[Placements]:
        """The genes' placements, fold by fold."""
        return list(self.placements.values())

    @property
    def num_genes(self) -> int:
        """Test genes of all folds."""
        return sum(genes.shape[1] for fold in self.folds for genes in fold)

    @property
    def num_runs(self) -> int:
        """Seeds of all folds."""
        return sum(len(fold.high) for fold in self.folds)

    @property
    def has_several_seeds(self) -> bool:
        """Whether each fold has several."""
        return min(len(fold.high) for fold in self.folds) > 1

    @property
    def se_over_seeds(self) -> float:
        """Standard error of the AUROC over seeds; NaN where a fold has one seed."""
        if not self.has_several_seeds:
            return math.nan
        aurocs = [fold.high.mean(axis=1) for fold in self.folds]
        variance = sum(float(a.var(ddof=1)) / len(a) for a in aurocs)
        return math.sqrt(variance) / len(aurocs)

    @property
    def interval95(self) -> tuple[float, float]:
        """Of the AUROC: over genes and seeds, or genes alone where a fold has one seed."""
        if self.has_several_seeds:
            return logit_interval(*over_genes_and_seeds(list(self.samples.values())))
        return logit_interval(*auroc_with_error(self.folds))

    @property
    def calibration(self) -> Calibration:
        """The mean over folds of means over seeds."""
        means = [fold.mean(axis=0) for fold in self.calibrations.values()]
        return Calibration(*np.mean(means, axis=0).tolist())


# Epigenome -> model -> measurement.
Measurements: TypeAlias = Mapping[str, Mapping[str, Measurement]]


class ModelRow(NamedTuple):
    """A model over the shared epigenomes; the columns of `Leaderboard.models`."""

    model: str
    mean: float
    median: float
    max: float
    min: float
    se_over_seeds: float
    ece: float
    mean_probability: float
    positive_rate: float
    reference: str
    num_improved: int | None
    num_epigenomes: int
    num_runs: int


class EpigenomeRow(NamedTuple):
    """A model on an epigenome; the columns of `Leaderboard.epigenomes`."""

    epigenome: str
    model: str
    auroc: float
    auroc_low: float
    auroc_high: float
    se_over_seeds: float
    ece: float
    mean_probability: float
    positive_rate: float
    num_genes: int
    num_folds: int
    num_runs: int
    is_shared: bool


class PairedTestRow(NamedTuple):
    """A test of two models; the columns of `Leaderboard.paired_tests`."""

    test: str
    epigenome: str
    model_a: str
    model_b: str
    num_epigenomes: int
    num_genes: int | None
    auroc_a: float
    auroc_b: float
    difference: float
    standard_error: float
    p_value: float
    p_holm: float
    note: str


def epigenome_rows(measurements: Measurements) -> list[EpigenomeRow]:
    """Each model on each epigenome."""
    known = {model for models in measurements.values() for model in models}
    rows = []
    for epigenome, models in measurements.items():
        is_shared = set(_with_every_fold(models)) == known
        for model, measurement in models.items():
            auroc, _ = auroc_with_error(measurement.folds)
            low, high = measurement.interval95
            rows.append(
                EpigenomeRow(
                    epigenome,
                    model,
                    auroc=auroc,
                    auroc_low=low,
                    auroc_high=high,
                    se_over_seeds=measurement.se_over_seeds,
                    **measurement.calibration._asdict(),
                    num_genes=measurement.num_genes,
                    num_folds=len(measurement.folds),
                    num_runs=measurement.num_runs,
                    is_shared=is_shared,
                )
            )
    return rows


def _with_every_fold(models: Mapping[str, Measurement]) -> list[str]:
    """The models of an epigenome with runs in all folds in which any has."""
    folds = {fold for measurement in models.values() for fold in measurement.placements}
    return [model for model, measurement in models.items() if set(measurement.placements) == folds]


def model_rows(epigenomes: Sequence[EpigenomeRow], reference: str) -> list[ModelRow]:
    """Each model over the shared epigenomes, best first."""
    shared: dict[str, dict[str, EpigenomeRow]] = {row.model: {} for row in epigenomes}
    for row in epigenomes:
        if row.is_shared:
            shared[row.model][row.epigenome] = row
    rows = [_model_row(model, shared, reference) for model in shared]
    return sorted(rows, key=lambda row: (-row.mean if row.num_epigenomes else 0, row.model))


def _model_row(
    model: str, shared: Mapping[str, Mapping[str, EpigenomeRow]], reference: str
) -> ModelRow:
    own = shared[model]

    def of_epigenomes(column: str) -> np.ndarray:
        return np.array([getattr(row, column) for row in own.values()] or [math.nan])

    auroc, errors = of_epigenomes("auroc"), of_epigenomes("se_over_seeds")
    num_improved = None
    if reference in shared:
        others = shared[reference]
        num_improved = sum(own[e].auroc > others[e].auroc + ROUNDING for e in own)
    return ModelRow(
        model,
        mean=float(np.mean(auroc)),
        median=float(np.median(auroc)),
        max=float(np.max(auroc)),
        min=float(np.min(auroc)),
        se_over_seeds=float(np.linalg.norm(errors)) / len(errors),
        **{column: float(np.mean(of_epigenomes(column))) for column in Calibration._fields},
        reference=reference if reference in shared else "",
        num_improved=num_improved,
        num_epigenomes=len(own),
        num_runs=sum(row.num_runs for row in own.values()),
    )


def paired_test_rows(measurements: Measurements, ranking: Sequence[str]) -> list[PairedTestRow]:
    """Tests of all pairs of models: in each epigenome, then Wilcoxon's over epigenomes.

    Args:
        measurements: Each model on each epigenome.
        ranking: The models, best first.
    """
    aurocs = defaultdict(list)
    rows: list[PairedTestRow] = []
    for epigenome, models in measurements.items():
        complete = sorted(_with_every_fold(models), key=ranking.index)
        pairs = list(combinations(complete, 2))
        rows += _with_holm([_delong_row(epigenome, models, pair) for pair in pairs])
        rows += _with_holm([_bootstrap_row(epigenome, models, pair) for pair in pairs])
        for pair in pairs:
            aurocs[pair].append([auroc_with_error(models[model].folds)[0] for model in pair])
    return rows + _with_holm(
        [_wilcoxon_row(*pair, aurocs[pair]) for pair in combinations(ranking, 2)]
    )


def _delong_row(
    epigenome: str, models: Mapping[str, Measurement], pair: tuple[str, str]
) -> PairedTestRow:
    test = compare_placements(*(models[model].folds for model in pair))
    return _row_of_epigenome("DeLong", epigenome, pair, test, models[pair[0]].num_genes)


def _bootstrap_row(
    epigenome: str, models: Mapping[str, Measurement], pair: tuple[str, str]
) -> PairedTestRow:
    both = [models[model] for model in pair]
    test = compare_samples(*(list(model.samples.values()) for model in both))
    row = _row_of_epigenome("bootstrap", epigenome, pair, test, both[0].num_genes)
    if all(model.has_several_seeds or model.is_deterministic for model in both):
        return row
    # What another seed would change is not known.
    return row._replace(standard_error=math.nan, p_value=math.nan, note="needs 2 seeds")


def _row_of_epigenome(
    name: str, epigenome: str, pair: tuple[str, str], test: PairedTest, num_genes: int
) -> PairedTestRow:
    return PairedTestRow(
        name,
        epigenome,
        *pair,
        num_epigenomes=1,
        num_genes=num_genes,
        **test._asdict(),
        p_holm=math.nan,
        note="too few test genes" if math.isnan(test.p_value) else "",
    )


def _wilcoxon_row(model_a: str, model_b: str, aurocs: Sequence[Sequence[float]]) -> PairedTestRow:
    auroc_a, auroc_b = np.reshape(aurocs, (-1, 2)).T
    mean_a, mean_b = (float(a.mean()) if len(a) else math.nan for a in (auroc_a, auroc_b))
    p_value = wilcoxon_test(auroc_a, auroc_b)
    return PairedTestRow(
        "Wilcoxon",
        "",
        model_a,
        model_b,
        num_epigenomes=len(aurocs),
        num_genes=None,
        auroc_a=mean_a,
        auroc_b=mean_b,
        difference=mean_a - mean_b,
        standard_error=math.nan,
        p_value=p_value,
        p_holm=math.nan,
        note=f"needs {MIN_EPIGENOMES} epigenomes" if math.isnan(p_value) else "",
    )


def _with_holm(tests: Sequence[PairedTestRow]) -> list[PairedTestRow]:
    corrected = holm([test.p_value for test in tests])
    return [test._replace(p_holm=float(p)) for test, p in zip(tests, corrected, strict=True)]
