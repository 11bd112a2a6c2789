"""What the server answered, kept for a while, so that people can page through it and download it.

Results stay in memory and are forgotten: the oldest first when there are too many, and each after
an hour. Nothing is written to disk.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from serving.description import EXPRESSION, ModelDescription
from serving.genes import Genes
from serving.predictions import Prediction
from serving.web.answer import Answer, answer_of
from serving.web.catalogue import Gene
from serving.web.config import ServedModel
from serving.web.gene_picture import GenePicture, Region

_KEPT_S = 3600.0
_KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Result:
    """What a model said of genes.

    Attributes:
        model: The model as it was asked for.
        description: What the model says of itself.
        genes: What was sent.
        prediction: What was answered.
        source: Where the genes come from, in words.
        known: What is known of the only gene, where it is one of a dataset.
        columns: The marks of the columns that somebody named for their CSV text, or empty.
        unit: The unit of the expression that is known of the gene.
        signal_unit: What the signal counts, or empty where nobody knows.
    """

    model: ServedModel
    description: ModelDescription
    genes: Genes
    prediction: Prediction
    source: str
    known: Gene | None = None
    columns: str = ""
    unit: str = "RPKM"
    signal_unit: str = ""

    @property
    def num_genes(self) -> int:
        """Number of genes."""
        return len(self.genes.gene_id)

    @property
    def num_bytes(self) -> int:
        """Memory that it takes, about."""
        arrays = (self.genes.gene_id, self.genes.signal, *self.prediction)
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))

    def answer(self, gene: int) -> Answer:
        """What the model tells of a gene."""
        return answer_of(self.description, self.prediction, gene)

    def picture(self, gene: int) -> GenePicture:
        """What is drawn of a gene."""
        details, known = self.description.details, self.known
        oriented = details.get("oriented") if known is None else known.oriented
        arrays = self.prediction._asdict().items()
        of_gene = {name: array[gene] for name, array in arrays if isinstance(array, np.ndarray)}
        return GenePicture(
            name=str(self.genes.gene_id[gene]) if known is None else known.name,
            marks=self.genes.marks,
            region=Region(
                self.description.num_bins, details.get("bin_bp"), details.get("flank_bp"), oriented
            ),
            signal=self.genes.signal[gene],
            alpha=of_gene.get("alpha"),
            beta=of_gene.get("beta"),
            beta_sd=of_gene.get("beta_sd"),
            contribution=of_gene.get("contribution"),
            strand="" if known is None else known.strand,
            signal_unit=self.signal_unit,
            score=EXPRESSION if self.description.output == EXPRESSION else "logit",
        )


class Results:
    """Results by a name that cannot be guessed.

    Args:
        kept_s: How long a result is kept.
        kept_bytes: How much is kept; the newest result is kept in any case.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        kept_s: float = _KEPT_S,
        kept_bytes: int = _KEPT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept_s = kept_s
        self._kept_bytes = kept_bytes
        self._clock = clock
        self._results: OrderedDict[str, tuple[float, Result]] = OrderedDict()

    def add(self, result: Result) -> str:
        """Keep a result; returns its name."""
        name = secrets.token_urlsafe(16)
        self._results[name] = (self._clock(), result)
        self._forget()
        return name

    def get(self, name: str) -> Result | None:
        """The result of that name, if it is still there."""
        self._forget()
        _, result = self._results.get(name, (0.0, None))
        return result

    def _forget(self) -> None:
        oldest = self._clock() - self._kept_s
        size = sum(result.num_bytes for _, result in self._results.values())
        for name, (added, result) in list(self._results.items()):
            is_last = len(self._results) == 1
            if added >= oldest and (size <= self._kept_bytes or is_last):
                break
            size -= result.num_bytes
            del self._results[name]
