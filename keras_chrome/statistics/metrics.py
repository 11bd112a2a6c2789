"""How well probabilities agree with labels."""

import math
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from keras_chrome.statistics.bootstrap import with_interval
from keras_chrome.statistics.calibration import calibration


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
    auroc = weighted_auroc(label, probability)
    gene = np.arange(len(label))
    if gene_id is not None:
        gene = np.unique(gene_id, return_inverse=True)[1]
    sampled = with_interval(lambda weight: auroc(weight[gene]), gene.max() + 1, seed=seed)
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
