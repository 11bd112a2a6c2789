"""How well a model's answers agree with what was measured."""

import math
from collections.abc import Callable

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    r2_score,
    roc_auc_score,
)

from keras_chrome.statistics.bootstrap import with_interval
from keras_chrome.statistics.calibration import calibration
from keras_chrome.statistics.correlation import weighted_pearson, weighted_spearman


def classification_metrics(
    label: np.ndarray,
    probability: np.ndarray,
    *,
    gene_id: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float | int | list[float]]:
    """Metrics of one split.

    Args:
        label: Integers `(genes,)`, 0 or 1, both present.
        probability: Floats `(genes,)` in [0, 1].
        gene_id: Text `(genes,)`, if what stands there are genes in several epigenomes, which are
            drawn together.
        seed: Seeds the bootstrap.

    Returns:
        `auroc`; `auroc_ci95`, percentiles 2.5 and 97.5 of it over 1,000 bootstrap samples of the
        genes; `auprc` (average precision); `log_loss` in nats; `brier`; `ece`, the expected
        calibration error in ten bins; `num_genes`; `positive_rate`, the share labelled 1, and
        `mean_probability`, which equals it where probabilities are calibrated.
    """
    return {
        "auroc": float(roc_auc_score(label, probability)),
        "auroc_ci95": auroc_interval(label, probability, gene_id=gene_id, seed=seed),
        "auprc": float(average_precision_score(label, probability)),
        "log_loss": float(log_loss(label, probability, labels=[0, 1])),
        "brier": float(brier_score_loss(label, probability)),
        "num_genes": len(label),
        **calibration(label, probability)._asdict(),
    }


def regression_metrics(
    measured: np.ndarray,
    predicted: np.ndarray,
    *,
    gene_id: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float | int | list[float]]:
    """Metrics of one split.

    Args:
        measured: Floats `(genes,)`, log2(expression + 1), not all the same.
        predicted: Floats `(genes,)`.
        gene_id: As for `classification_metrics`.
        seed: Seeds the bootstrap.

    Returns:
        `pearson`; `pearson_ci95`, percentiles 2.5 and 97.5 of it over 1,000 bootstrap samples of
        the genes; `spearman`; `r2`, one less the squared error over that of the measured mean,
        below 0 where the mean would do better; `num_genes`. Where the prediction is the same for
        all genes it tells nothing, and the correlations are 0.
    """
    statistic = weighted_pearson(measured, predicted)
    interval = _interval(statistic, len(measured), gene_id=gene_id, seed=seed)
    every_gene = np.ones(len(measured), int)
    spearman = weighted_spearman(measured, predicted)(every_gene)
    return {
        "pearson": pearson_or_0(measured, predicted),
        "pearson_ci95": np.nan_to_num(interval).tolist(),
        "spearman": 0.0 if math.isnan(spearman) else spearman,
        "r2": float(r2_score(measured, predicted)),
        "num_genes": len(measured),
    }


def pearson_or_0(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Pearson's correlation, and 0 where either is the same for all genes."""
    r = weighted_pearson(measured, predicted)(np.ones(len(measured), int))
    return 0.0 if math.isnan(r) else r


def auroc_interval(
    label: np.ndarray,
    probability: np.ndarray,
    *,
    gene_id: np.ndarray | None = None,
    seed: int = 0,
) -> list[float]:
    """The 95 % percentile interval of the AUROC over bootstrap samples of the genes.

    Rows of one `gene_id`, if given, are drawn together: they are no news of each other.
    """
    statistic = weighted_auroc(label, probability)
    return _interval(statistic, len(label), gene_id=gene_id, seed=seed)


def _interval(
    statistic: Callable[[np.ndarray], float],
    num_rows: int,
    *,
    gene_id: np.ndarray | None,
    seed: int,
) -> list[float]:
    """The 95 % percentile interval of a statistic of weighted rows, over samples of the genes."""
    gene = np.arange(num_rows)
    if gene_id is not None:
        gene = np.unique(gene_id, return_inverse=True)[1]
    sampled = with_interval(lambda weight: statistic(weight[gene]), gene.max() + 1, seed=seed)
    _, low, high = sampled.tolist()
    return [low, high]


def weighted_auroc(label: np.ndarray, probability: np.ndarray) -> Callable[[np.ndarray], float]:
    """The AUROC of a sample in which a gene may stand several times.

    The genes are sorted once: the AUROC is the share of (high, low) pairs in the right order, ties
    counting half, each pair weighted. A bootstrap of thousands of genes then takes no second.

    Args:
        label: Integers `(genes,)`, 0 or 1.
        probability: Floats `(genes,)`.

    Returns:
        A function of the weights, integers `(genes,)`: how often each gene stands in the sample.
        It answers NaN where either class is missing.
    """
    values, position = np.unique(probability, return_inverse=True)
    is_high = label == 1

    def auroc(weight: np.ndarray) -> float:
        high = np.bincount(position, weight * is_high, len(values))
        low = np.bincount(position, weight * ~is_high, len(values))
        pairs = high.sum() * low.sum()
        return float(high @ (np.cumsum(low) - 0.5 * low)) / pairs if pairs else math.nan

    return auroc
