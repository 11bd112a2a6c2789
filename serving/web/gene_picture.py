"""What is drawn of a gene: its region, its signal, and where the model looked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.web.numbers import brief, decimals, signed, signed_decimals


@dataclass(frozen=True)
class Region:
    """The bins around a TSS.

    Attributes:
        num_bins: Number of bins.
        bin_bp: Width of a bin in bp, or None where the model does not say.
        flank_bp: bp from the start of the first bin to the TSS, or None.
        oriented: True if bins run in the direction of transcription, False if along the genome,
            None if that is not known.
    """

    num_bins: int
    bin_bp: int | None = None
    flank_bp: int | None = None
    oriented: bool | None = None

    @property
    def tss_bin(self) -> float | None:
        """Where the TSS lies, in bins from the start of the region, if it is known."""
        if not self.bin_bp or self.flank_bp is None:
            return None
        return self.flank_bp / self.bin_bp

    @property
    def axis(self) -> str:
        """What runs along the bins, and in which direction."""
        along = {
            True: "along the direction of transcription",
            False: "along the genome",
            None: "in the order of the input",
        }[self.oriented]
        if self.tss_bin is None:
            return f"bin, {along}"
        return f"distance from the TSS, kb, {along}"

    @property
    def short_axis(self) -> str:
        """The same for a phone."""
        text = self.axis.replace("distance from the TSS, kb, ", "kb from the TSS ")
        return text.replace("the direction of ", "")

    def place(self, bin_: int) -> str:
        """The place of a bin, counted from 0, in words."""
        if not self.bin_bp or self.flank_bp is None:
            return f"bin {bin_ + 1}"
        start = bin_ * self.bin_bp - self.flank_bp
        return f"{signed(start)} to {signed(start + self.bin_bp)} bp"


@dataclass(frozen=True)
class GenePicture:
    """What is drawn of a gene.

    Attributes:
        name: Symbol or id.
        marks: Names of the marks, in the order of the arrays' axes.
        region: The bins.
        signal: `(bins, marks)`, as measured.
        alpha: Attention over the bins of each mark, `(marks, bins)`, or None.
        beta: Attention over the marks, `(marks,)`, or None.
        beta_sd: Standard deviation of beta over the members of an ensemble, or None.
        contribution: What each bin adds to the score, `(marks, bins)`, or None.
        strand: `+`, `-`, or empty where it is not known.
        signal_unit: What the signal counts, or empty where it is not known.
        score: What contributions add to: the logit, or the expression.
    """

    name: str
    marks: Sequence[str]
    region: Region
    signal: np.ndarray
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None
    beta_sd: np.ndarray | None = None
    contribution: np.ndarray | None = None
    strand: str = ""
    signal_unit: str = ""
    score: str = "logit"

    @property
    def direction(self) -> int:
        """Of transcription on the drawing: 1 to the right, -1 to the left, 0 not known."""
        if self.region.oriented:
            return 1
        return {"+": 1, "-": -1}.get(self.strand, 0) if self.region.oriented is False else 0

    @property
    def summary(self) -> str:
        """The drawing in words."""
        parts = []
        for i, mark in enumerate(self.marks):
            text = f"{mark}: signal up to {brief(float(self.signal[:, i].max()))}"
            if self.signal_unit:
                text += f" {self.signal_unit}"
            if self.alpha is not None:
                place = self.region.place(int(self.alpha[i].argmax()))
                text += f", alpha highest at {place}"
            if self.beta is not None:
                text += f", beta {self.beta_text(i)}"
            if self.contribution is not None:
                added = signed_decimals(float(self.contribution[i].sum()))
                text += f", adds {added} to the {self.score}"
            parts.append(text)
        return "; ".join(parts) + "."

    @property
    def added(self) -> float | None:
        """The sum of all contributions: the answer less that of an empty region."""
        return None if self.contribution is None else float(self.contribution.sum())

    def beta_text(self, mark: int) -> str:
        """The beta of a mark, with how far an ensemble's members differ."""
        assert self.beta is not None
        text = decimals(float(self.beta[mark]), 2)
        if self.beta_sd is not None:
            text += f" ± {decimals(float(self.beta_sd[mark]), 2)}"
        return text
