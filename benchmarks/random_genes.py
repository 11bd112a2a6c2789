"""Genes of any shape, to measure on: how long a step takes does not depend on the values."""

import numpy as np
from sides import Setting


class RandomGenes:
    """As many of the attributes of `keras_chrome.data.Genes` as training needs."""

    def __init__(self, setting: Setting) -> None:
        rng = np.random.default_rng(0)
        num_genes = max(2048, 2 * setting.batch)
        shape = (num_genes, setting.bins, setting.marks)
        self.signal = rng.poisson(2, shape).astype(np.float32)
        self.label = rng.integers(0, 2, num_genes).astype(np.int8)

    def __len__(self) -> int:
        return len(self.label)
