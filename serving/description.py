"""What a served model says of itself, and whether a signal is what it takes."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np

from serving.errors import InputError, ServerError
from serving.genes import Genes, check_signal, plain_mark

PROBABILITY, EXPRESSION = "probability", "expression"
# Names of tensors, the version, the framing.
_MESSAGE_OVERHEAD_BYTES = 4096


# What is read of a description, which may be of an exporter of another version.
_NEEDED: dict[str, Any] = {"marks": list, "num_bins": int}
_KNOWN: dict[str, Any] = {
    **dict.fromkeys(("task", "unit", "scale", "label_rule"), str),
    **dict.fromkeys(("members", "bin_bp", "flank_bp"), int),
    "oriented": bool,
}
_MOST = 10**9


def _require_types(details: Any) -> None:
    """Refuses a description whose parts are not what they are read as; unknown ones may be None.

    Raises:
        TypeError: Likewise, or if it is no object.
        LookupError: If it lacks what is needed.
    """
    for name, kind in (_NEEDED | _KNOWN).items():
        value = details[name] if name in _NEEDED else dict.get(details, name)
        is_none = value is None and name not in _NEEDED
        is_number = type(value) is not int or 0 < value < _MOST
        if not (is_none or (type(value) is kind and is_number)):
            raise TypeError(f"{name}={value!r}")
    if not details["marks"] or not all(type(mark) is str for mark in details["marks"]):
        raise TypeError(f"marks={details['marks']!r}")


class ModelDescription(NamedTuple):
    """What a served model expects and answers.

    Attributes:
        name: Name of the served model.
        version: The version that the server answered for.
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        details: All that the exported model says of itself, `assets/keras_chrome.json`.
    """

    name: str
    version: int
    marks: tuple[str, ...]
    num_bins: int
    details: dict[str, Any]

    @classmethod
    def parse(cls, name: str, version: int, outputs: Mapping[str, Any]) -> "ModelDescription":
        """Read what the signature `describe` answered.

        Raises:
            ServerError: If it is not the description of an exported model.
        """
        try:
            details = json.loads(outputs["description"][0])
            _require_types(details)
            return cls(name, version, tuple(details["marks"]), details["num_bins"], details)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ServerError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Expected a model that describes its marks and bins. Received: "
                f"model={name}, version={version}, whose signature describe answers otherwise. "
                "Export it with: python -m export",
            ) from error

    @property
    def is_ensemble(self) -> bool:
        """Whether the model has several members, and answers how far they differ."""
        return bool((self.details.get("members") or 1) > 1)

    @property
    def output(self) -> str:
        """What it answers of a gene: `probability`, or of regression `expression`."""
        return EXPRESSION if self.details.get("task") == "regression" else PROBABILITY

    @property
    def unit(self) -> str:
        """What a model of regression tells expression in."""
        return str(self.details.get("unit") or "RPKM")

    @property
    def scale(self) -> str:
        """What the answer of a model of regression is, in words."""
        return str(self.details.get("scale") or f"log2({self.unit} + 1)")

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape, for one gene, of each output that the model may have."""
        num_marks = len(self.marks)
        shapes: dict[str, tuple[int, ...]] = {
            self.output: (),
            "alpha": (num_marks, self.num_bins),
            "beta": (num_marks,),
        }
        if self.is_ensemble:
            shapes |= {f"{name}_sd": shape for name, shape in shapes.items()}
        return {
            **shapes,
            "contribution": (num_marks, self.num_bins),
            "gradient": (self.num_bins, num_marks),
        }

    def genes_a_request(self, batch_size: int, max_message_bytes: int, bytes_a_number: int) -> int:
        """Most genes that fit in one request, and their answer in one message.

        Raises:
            InputError: If not even one does.
        """
        # The signal and the gradient are as large as alpha, and come with less.
        largest = (s for name, s in self.output_shapes.items() if name != "gradient")
        bytes_a_gene = bytes_a_number * sum(map(math.prod, largest))
        fitting = (max_message_bytes - _MESSAGE_OVERHEAD_BYTES) // bytes_a_gene
        if fitting < 1:
            raise InputError(
                f"Expected room for one gene, {bytes_a_gene + _MESSAGE_OVERHEAD_BYTES} bytes. "
                f"Received: max_message_bytes={max_message_bytes}"
            )
        return min(batch_size, fitting)

    def check_marks(self, marks: Sequence[str]) -> None:
        """Refuse other marks, or the same in another order; their spelling does not matter.

        Raises:
            InputError: If they are not the model's.
        """
        if [*map(plain_mark, marks)] != [*map(plain_mark, self.marks)]:
            raise InputError(
                f"Expected the marks {', '.join(self.marks)}, in this order, of model "
                f"{self.name}. Received: marks={', '.join(marks)}. Reorder the last axis"
            )

    def check_bins(self, genes: Genes) -> None:
        """Refuse genes of another number of bins.

        Raises:
            InputError: Likewise.
        """
        num_bins = genes.signal.shape[1]
        if num_bins != self.num_bins:
            raise InputError(
                f"Expected {self.num_bins} bins a gene, on which model {self.name} was trained. "
                f"Received: gene {genes.gene_id[0]}, {num_bins} bins"
            )

    def check_layout(self, signal: np.ndarray) -> None:
        """Refuse what is not floating-point numbers `(n, bins, marks)`, n > 0.

        Raises:
            InputError: If shape or type differ.
        """
        shape = (self.num_bins, len(self.marks))
        if signal.ndim != 3 or signal.shape[1:] != shape:
            raise InputError(
                f"Expected signal of shape (genes, {self.num_bins} bins, {len(self.marks)} marks). "
                f"Received: shape={signal.shape}"
            )
        if not np.issubdtype(signal.dtype, np.floating):
            raise InputError(
                f"Expected signal of floating-point numbers. Received: dtype={signal.dtype}. "
                "Convert it: signal.astype('float32')"
            )
        if not len(signal):
            raise InputError(f"Expected at least one gene. Received: shape={signal.shape}")

    def checked_values(
        self, signal: np.ndarray, gene_names: Sequence[Any] | np.ndarray
    ) -> np.ndarray:
        """The signal as float32, C-contiguous.

        Args:
            signal: `(n, bins, marks)`, as `check_layout` lets it pass.
            gene_names: n names for the message.

        Raises:
            InputError: At the first number that is no read count or depth.
        """
        with np.errstate(over="ignore"):  # what overflows is infinite, which is refused
            signal = np.ascontiguousarray(signal, np.float32)
        check_signal(signal, gene_names, self.marks)
        return signal
