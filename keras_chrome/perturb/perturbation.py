"""What is done to the signal of a mark."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keras_chrome.command_line import option
from keras_chrome.errors import InputError


@dataclass(frozen=True)
class Perturbation:
    """What is done to the signal of a mark, in a part of the gene region.

    The signal is shifted, then multiplied, then added to; what comes out below 0 is 0.

    Attributes:
        mark: The mark; None where every mark is taken in turn.
        scale: Factor of the signal as measured; 0 takes the mark away.
        shift_bins: Whole bins by which the signal moves in the direction of transcription,
            negative against it. What leaves the part is lost, what is left behind is 0.
        add: What is added to each bin, in the unit of the signal.
        from_bp: Where the part starts, in bp from the TSS in the direction of transcription; the
            region's start if None. A bin belongs to the part if it lies wholly inside.
        to_bp: Where the part ends, exclusive; the region's end if None.

    Raises:
        InputError: If a number is out of its range, or nothing would change.
    """

    mark: str | None = option("the mark to change (default: every mark and pair)", default=None)
    scale: float = option("factor of the signal; 0 takes the mark away", default=1.0)
    shift_bins: int = option("bins to move the signal along transcription", default=0)
    add: float = option("signal to add to each bin", default=0.0)
    from_bp: int | None = option("change only from here, in bp from the TSS", default=None)
    to_bp: int | None = option("change only up to here, in bp from the TSS", default=None)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale >= 0):
            raise InputError(
                f"Expected a factor of 0 or more: signal is never negative. Received: "
                f"scale={self.scale}"
            )
        if not math.isfinite(self.add):
            raise InputError(f"Expected a number to add. Received: add={self.add}")
        if (self.scale, self.shift_bins, self.add) == (1, 0, 0):
            raise InputError(
                "Expected something to change. Received: scale=1, shift_bins=0, add=0. "
                "scale=0 takes a mark away"
            )

    @property
    def name(self) -> str:
        """What is done to which mark, as part of a file name."""
        parts = [
            self.mark or "all_marks",
            f"scale{self.scale:g}" if self.scale != 1 else "",
            f"shift{self.shift_bins:+d}" if self.shift_bins else "",
            f"add{self.add:g}" if self.add else "",
            f"from{self.from_bp}" if self.from_bp is not None else "",
            f"to{self.to_bp}" if self.to_bp is not None else "",
        ]
        return "_".join(filter(None, parts))

    @property
    def is_directed(self) -> bool:
        """Whether it matters which way a gene is transcribed."""
        is_symmetric = (self.from_bp, self.to_bp) == (None, None) or (
            self.from_bp is not None and self.to_bp == -self.from_bp
        )
        return self.shift_bins != 0 or not is_symmetric

    def bins(self, *, num_bins: int, bin_bp: int, flank_bp: int) -> slice:
        """The bins of the part, in the direction of transcription.

        Raises:
            InputError: If no bin lies wholly inside.
        """
        first = 0 if self.from_bp is None else math.ceil((self.from_bp + flank_bp) / bin_bp)
        end = num_bins if self.to_bp is None else (self.to_bp + flank_bp) // bin_bp
        first, end = max(first, 0), min(end, num_bins)
        if first >= end:
            raise InputError(
                f"Expected a part that holds a whole bin of {bin_bp} bp, within {-flank_bp} to "
                f"{num_bins * bin_bp - flank_bp} bp from the TSS. Received: "
                f"from_bp={self.from_bp}, to_bp={self.to_bp}"
            )
        return slice(first, end)


def perturb_signal(
    signal: np.ndarray, perturbation: Perturbation, *, mark: int, bins: slice
) -> np.ndarray:
    """Perturb an array.

    Args:
        signal: Float `(genes, bins, marks)`, as measured, in the direction of transcription.
        perturbation: What is done.
        mark: Position of the mark on the last axis.
        bins: The part of the region, from `Perturbation.bins`.

    Returns:
        A perturbed copy.

    Example:
        >>> perturb_signal(signal, Perturbation(scale=0), mark=3, bins=slice(40, 60))
    """
    part = signal[:, bins, mark]
    num_bins = part.shape[1]
    shift = min(max(perturbation.shift_bins, -num_bins), num_bins)
    moved = np.zeros_like(part)
    moved[:, max(shift, 0) : num_bins + min(shift, 0)] = part[
        :, max(-shift, 0) : num_bins - max(shift, 0)
    ]
    perturbed = signal.copy()
    perturbed[:, bins, mark] = np.maximum(moved * perturbation.scale + perturbation.add, 0)
    return perturbed
