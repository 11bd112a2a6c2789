"""Table 3 of the paper."""

import math
from typing import Any

# Table 3 of the paper: by method and the variant that it was applied to, where that is stated.
PAPER = {
    ("alpha", "lstm_alpha"): {"E003": 0.85, "E116": 0.88, "E123": 0.91},
    ("alpha", "attentive_chrome"): {"E003": 0.90, "E116": 0.85, "E123": 0.90},
    ("class_optimization", ""): {"E003": 0.06, "E116": 0.17, "E123": 0.11},
    ("saliency", ""): {"E003": 0.18, "E116": -0.14, "E123": 0.22},
}


def paper_value(row: Any) -> float:
    """What Table 3 of the paper says of a row's method, variant and epigenome; NaN if nothing."""
    of_variant = PAPER.get((row.method, row.variant)) or PAPER.get((row.method, ""), {})
    # A dataset of one's own may be called E116_peaks.
    return of_variant.get(str(row.epigenome).partition("_")[0], math.nan)
