"""Models that tell expression, by how their answers correlate with what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import r2_score

from keras_chrome.runs.finished import FinishedRun, PredictedGenes, grouped, read_test_genes
from keras_chrome.statistics.bootstrap import NUM_RESAMPLES, interval95, over_trainings
from keras_chrome.statistics.correlation import weighted_pearson, weighted_spearman
from keras_chrome.statistics.metrics import pearson_or_0


class CorrelationRow(NamedTuple):
    """A model on an epigenome; the columns of `Leaderboard.correlations`."""

    split: str
    marks: str
    epigenome: str
    model: str
    pearson: float
    pearson_low: float
    pearson_high: float
    se_over_seeds: float
    spearman: float
    r2: float
    against: str
    difference: float
    difference_low: float
    difference_high: float
    num_genes: int
    num_folds: int
    num_runs: int


class _Measured(NamedTuple):
    """A model on the test genes of an epigenome.

    Attributes:
        samples: By fold, floats `(1 + NUM_RESAMPLES, seeds)`: Pearson's r of all genes, and of
            samples of them, which are the same for all models.
        others: By fold, floats `(seeds, 2)`: Spearman's correlation and R2.
    """

    samples: dict[int, np.ndarray]
    others: dict[int, np.ndarray]

    @property
    def of_samples(self) -> np.ndarray:
        """The mean over folds of means over seeds, `(1 + NUM_RESAMPLES,)`."""
        of_folds = [over_trainings(of_fold, seed=fold) for fold, of_fold in self.samples.items()]
        mean: np.ndarray = np.mean(of_folds, axis=0)
        return mean

    @property
    def se_over_seeds(self) -> float:
        """Standard error over seeds; NaN where a fold has one seed."""
        of_folds = [of_fold[0] for of_fold in self.samples.values()]
        if min(map(len, of_folds)) < 2:
            return float("nan")
        variance = sum(float(r.var(ddof=1)) / len(r) for r in of_folds)
        return float(np.sqrt(variance)) / len(of_folds)


def correlation_rows(runs: Iterable[FinishedRun], reference: str) -> list[CorrelationRow]:
    """Each model on each epigenome, best first.

    Args:
        runs: Of regression.
        reference: The model from which differences are told; where it has not every fold, the best.
    """
    rows = []
    groups = grouped(runs, lambda run: (run.split, " ".join(run.marks), run.epigenome))
    for group, of_group in groups.items():
        by_fold = sorted(grouped(of_group, lambda run: run.fold).items())
        folds = {fold: (of_fold, read_test_genes(of_fold)) for fold, of_fold in by_fold}
        rows += _rows_of(group, folds, reference)
    return rows


def _rows_of(
    group: tuple[str, str, str],
    folds: Mapping[int, tuple[Sequence[FinishedRun], PredictedGenes]],
    reference: str,
) -> list[CorrelationRow]:
    measured: dict[str, _Measured] = {}
    for fold, (of_fold, genes) in folds.items():
        models = np.array([run.name for run in of_fold])
        for model in dict.fromkeys(models.tolist()):
            of_model = measured.setdefault(model, _Measured({}, {}))
            answers = genes.answer[models == model]
            of_model.samples[fold] = _samples(genes.truth, answers, seed=fold)
            of_model.others[fold] = np.array([_others(genes.truth, a) for a in answers])
    ranking = sorted(measured, key=lambda model: -measured[model].of_samples[0])
    complete = [model for model in ranking if len(measured[model].samples) == len(folds)]
    against = reference if reference in complete else complete[0] if complete else ""
    num_genes = {fold: len(genes.truth) for fold, (_, genes) in folds.items()}
    rows = []
    for model in ranking:
        own = measured[model]
        r = own.of_samples
        is_compared = model in complete and model != against
        difference = r - measured[against].of_samples if is_compared else np.full(len(r), np.nan)
        low, high = interval95(r[1:]).tolist()
        difference_low, difference_high = interval95(difference[1:]).tolist()
        spearman, r2 = np.mean([of_fold.mean(axis=0) for of_fold in own.others.values()], axis=0)
        rows.append(
            CorrelationRow(
                *group,
                model,
                pearson=float(r[0]),
                pearson_low=low,
                pearson_high=high,
                se_over_seeds=own.se_over_seeds,
                spearman=float(spearman),
                r2=float(r2),
                against=against,
                difference=float(difference[0]),
                difference_low=difference_low,
                difference_high=difference_high,
                num_genes=sum(num_genes[fold] for fold in own.samples),
                num_folds=len(own.samples),
                num_runs=sum(of_fold.shape[1] for of_fold in own.samples.values()),
            )
        )
    return rows


def _samples(truth: np.ndarray, answers: np.ndarray, *, seed: int) -> np.ndarray:
    """Pearson's r of each training, `(1 + NUM_RESAMPLES, trainings)`."""
    statistics = [weighted_pearson(truth, answer) for answer in answers]
    rng = np.random.default_rng(seed)
    num_genes = len(truth)
    weights = [np.ones(num_genes, int)]
    weights += [
        np.bincount(rng.integers(num_genes, size=num_genes), minlength=num_genes)
        for _ in range(NUM_RESAMPLES)
    ]
    samples = np.array([[statistic(weight) for statistic in statistics] for weight in weights])
    # What is the same for all genes tells nothing.
    samples[0] = [pearson_or_0(truth, answer) for answer in answers]
    known: np.ndarray = np.nan_to_num(samples)
    return known


def _others(truth: np.ndarray, answer: np.ndarray) -> tuple[float, float]:
    spearman = weighted_spearman(truth, answer)(np.ones(len(truth), int))
    return float(np.nan_to_num(spearman)), float(r2_score(truth, answer))
