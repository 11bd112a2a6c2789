"""Models compared on the epigenomes that all of them were tested on."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np

from keras_chrome.statistics.paired_tests import (
    MIN_EPIGENOMES,
    ROUNDING,
    Placements,
    auroc_with_error,
    compare_placements,
    delong_interval,
    holm,
    wilcoxon_test,
)


@dataclass(frozen=True)
class Measurement:
    """A model on the test genes of an epigenome.

    Attributes:
        placements: By fold, the genes' placements, averaged over seeds.
        aurocs: By fold, the AUROC of each seed.
    """

    placements: dict[int, Placements]
    aurocs: dict[int, list[float]]

    @property
    def num_genes(self) -> int:
        """Test genes of all folds."""
        return sum(len(genes) for fold in self.placements.values() for genes in fold)

    @property
    def num_runs(self) -> int:
        """Seeds of all folds."""
        return sum(map(len, self.aurocs.values()))

    @property
    def se_over_seeds(self) -> float:
        """Standard error of the AUROC over seeds; NaN where a fold has one seed."""
        if min(map(len, self.aurocs.values())) < 2:
            return math.nan
        variance = sum(statistics.variance(a) / len(a) for a in self.aurocs.values())
        return math.sqrt(variance) / len(self.aurocs)


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
            folds = list(measurement.placements.values())
            auroc, standard_error = auroc_with_error(folds)
            low, high = delong_interval(auroc, standard_error)
            rows.append(
                EpigenomeRow(
                    epigenome,
                    model,
                    auroc=auroc,
                    auroc_low=low,
                    auroc_high=high,
                    se_over_seeds=measurement.se_over_seeds,
                    num_genes=measurement.num_genes,
                    num_folds=len(folds),
                    num_runs=measurement.num_runs,
                    is_shared=is_shared,
                )
            )
    return rows


def _with_every_fold(models: Mapping[str, Measurement]) -> list[str]:
    """The models of an epigenome with runs in all folds in which any has."""
    folds = {fold for measurement in models.values() for fold in measurement.aurocs}
    return [model for model, measurement in models.items() if set(measurement.aurocs) == folds]


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
    auroc = np.array([row.auroc for row in own.values()] or [math.nan])
    errors = np.array([row.se_over_seeds for row in own.values()] or [math.nan])
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
        reference=reference if reference in shared else "",
        num_improved=num_improved,
        num_epigenomes=len(own),
        num_runs=sum(row.num_runs for row in own.values()),
    )


def paired_test_rows(measurements: Measurements, ranking: Sequence[str]) -> list[PairedTestRow]:
    """Tests of all pairs of models: DeLong's in each epigenome, then Wilcoxon's over epigenomes.

    Args:
        measurements: Each model on each epigenome.
        ranking: The models, best first.
    """
    aurocs = defaultdict(list)
    rows: list[PairedTestRow] = []
    for epigenome, models in measurements.items():
        complete = sorted(_with_every_fold(models), key=ranking.index)
        tests = []
        for model_a, model_b in combinations(complete, 2):
            test = compare_placements(
                *(list(models[model].placements.values()) for model in (model_a, model_b))
            )
            aurocs[model_a, model_b].append((test.auroc_a, test.auroc_b))
            tests.append(
                PairedTestRow(
                    "DeLong",
                    epigenome,
                    model_a,
                    model_b,
                    num_epigenomes=1,
                    num_genes=models[model_a].num_genes,
                    **test._asdict(),
                    p_holm=math.nan,
                    note="too few test genes" if math.isnan(test.p_value) else "",
                )
            )
        rows += _with_holm(tests)
    return rows + _with_holm(
        [_wilcoxon_row(*pair, aurocs[pair]) for pair in combinations(ranking, 2)]
    )


def _wilcoxon_row(
    model_a: str, model_b: str, aurocs: Sequence[tuple[float, float]]
) -> PairedTestRow:
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
