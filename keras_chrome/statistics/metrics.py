"""How well probabilities agree with labels."""

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

_NUM_RESAMPLES = 1000


def classification_metrics(
    label: np.ndarray, probability: np.ndarray, *, seed: int = 0
) -> dict[str, float | int | list[float]]:
    """Metrics of one split.

    Args:
        label: Integers `(genes,)`, 0 or 1, both present.
        probability: Floats `(genes,)` in [0, 1].
        seed: Seeds the bootstrap.

    Returns:
        `auroc`; `auroc_ci95`, percentiles 2.5 and 97.5 of it over 1,000 bootstrap samples of the
        genes; `auprc` (average precision); `log_loss` in nats; `brier`; `num_genes`;
        `positive_rate`.
    """
    return {
        "auroc": float(roc_auc_score(label, probability)),
        "auroc_ci95": auroc_interval(label, probability, seed=seed),
        "auprc": float(average_precision_score(label, probability)),
        "log_loss": float(log_loss(label, probability, labels=[0, 1])),
        "brier": float(brier_score_loss(label, probability)),
        "num_genes": len(label),
        "positive_rate": float(np.mean(label)),
    }


def auroc_interval(label: np.ndarray, probability: np.ndarray, *, seed: int = 0) -> list[float]:
    """The 95 % percentile interval of the AUROC over bootstrap samples of the genes.

    A bootstrap sample is a weight for each gene, so the genes are sorted once: the AUROC is the
    share of (high, low) pairs in the right order, ties counting half, each pair weighted.
    Samples without a gene of either class are left out.
    """
    rng = np.random.default_rng(seed)
    values, position = np.unique(probability, return_inverse=True)
    aurocs = []
    for _ in range(_NUM_RESAMPLES):
        weight = np.bincount(rng.integers(len(label), size=len(label)), minlength=len(label))
        high = np.bincount(position, weight * (label == 1), len(values))
        low = np.bincount(position, weight * (label == 0), len(values))
        pairs = high.sum() * low.sum()
        if pairs:
            aurocs.append(float(high @ (np.cumsum(low) - 0.5 * low)) / pairs)
    return [float(v) for v in np.percentile(aurocs, [2.5, 97.5])]
