"""Roadmap from source: its own reads, or its tracks of them against control."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..epigenomes import EPIGENOMES, MARKS
from ..errors import require_known
from ..expression import ExpressionUnit, MedianOver
from ..find_files import SIGNAL_FILES, find_published_files, find_signal_files
from ..samples import Sample
from .examples import Examples, Inputs
from .reading import ReadingConfig, read_examples


@dataclasses.dataclass(eq=False, kw_only=True)
class RoadmapConfig(ReadingConfig, sources=tuple(SIGNAL_FILES)):
    """Roadmap from source; see `ReadingConfig`.

    Its `source` is "alignments", the consolidated reads; or "fold_change" or "p_value", tracks of
    them against control. It has the five core marks unless others are chosen.
    """

    unit: ExpressionUnit = dataclasses.field(default="RPKM", init=False)
    median_over: MedianOver = dataclasses.field(default="table", init=False)
    genome: str = dataclasses.field(default="hg19", init=False)

    def complete(self) -> None:
        """Checks the epigenome."""
        require_known("epigenome", self.epigenome, EPIGENOMES)

    def known_marks(self) -> tuple[str, ...]:
        """Returns the core marks."""
        return MARKS

    def check_marks(self, known: Sequence[str]) -> None:
        """Leaves it to finding the files: Roadmap has many more marks."""

    def examples(self, inputs: Inputs) -> Examples:
        """Finds or downloads the files, and reads them."""
        tables = find_published_files(inputs.download_manager, inputs.manual_dir)
        files = find_signal_files(
            self.source,
            self.epigenome,
            [*self.marks, *(["Input"] if self.subtract_control else [])],
            manual_dir=inputs.manual_dir,
            download_dir=inputs.download_dir,
        )
        samples = [
            Sample(self.epigenome, mark, files[mark], files.get("Input")) for mark in self.marks
        ]
        return read_examples(self, samples, tables.gene_table, tables.rpkm_table, inputs.read_files)
