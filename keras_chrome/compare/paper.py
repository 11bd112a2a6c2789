"""Table 3 of the paper."""

import math
from typing import Any

# Singh et al., Attend and Predict, NeurIPS 2017, Table 3, by method and the variant that it was
# applied to: saliency and class optimization are those of the convolutional network of DeepChrome,
# which saw the signal as measured. Its bins run along the genome: `--direction dataset`.
PAPER = {
    ("alpha", "lstm_alpha"): {"E003": 0.85, "E116": 0.88, "E123": 0.91},
    ("alpha", "attentive_chrome"): {"E003": 0.90, "E116": 0.85, "E123": 0.90},
    ("class_optimization", "deep_chrome"): {"E003": 0.06, "E116": 0.17, "E123": 0.11},
    ("saliency", "deep_chrome"): {"E003": 0.18, "E116": -0.14, "E123": 0.22},
}


def paper_value(row: Any) -> float:
    """What Table 3 of the paper says of a row's method, variant and epigenome; NaN if nothing."""
    # A dataset of one's own may be called E116_peaks.
    epigenome = str(row.epigenome).partition("_")[0]
    return PAPER.get((row.method, row.variant), {}).get(epigenome, math.nan)
