"""Own reads, depth or peaks: a sheet says which file holds which mark."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..epigenomes import spelling_warnings
from ..genome_names import known_genome
from ..samples import Sample, missing_marks, read_sample_sheet, samples_of
from .examples import Examples, Inputs
from .reading import ReadingConfig, read_examples


@dataclasses.dataclass(eq=False, kw_only=True)
class SampleSheetConfig(ReadingConfig, sources=("sample_sheet",)):
    """Own files of a sample sheet; see `ReadingConfig` for how they are read.

    Attributes:
        sample_sheet: The sheet, see `samples.py`.
        genes: Gene table, GTF or GFF3.
        expression: Expression table, with a column named as the epigenome; or as the unit, where
            the sheet has one epigenome only.
    """

    source: str = "sample_sheet"
    sample_sheet: Path
    genes: Path
    expression: Path

    def complete(self) -> None:
        """Takes the sheet's only epigenome if none is named."""
        self.genome = known_genome(self.genome)
        self.epigenome = self.samples()[0].epigenome

    def samples(self) -> list[Sample]:
        """The samples of the epigenome in the sheet."""
        samples = read_sample_sheet(self.sample_sheet)
        return samples_of(samples, self.epigenome, self.sample_sheet.name)

    def known_marks(self) -> tuple[str, ...]:
        """Returns the marks that the sheet has of the epigenome."""
        return tuple(sample.mark for sample in self.samples())

    def examples(self, inputs: Inputs) -> Examples:
        """Reads the files."""
        sheet = read_sample_sheet(self.sample_sheet)
        sample_of = {sample.mark: sample for sample in sheet if sample.epigenome == self.epigenome}
        samples = [sample_of[mark] for mark in self.marks]
        warnings = [*spelling_warnings((s.written for s in samples), self.sample_sheet.name)]
        if missing := missing_marks(sheet, self.epigenome):
            warnings.append(
                f"{self.epigenome} has no {', '.join(missing)}, which other epigenomes of "
                f"{self.sample_sheet.name} have"
            )
        others = [s for s in sheet if s.epigenome != self.epigenome]
        return read_examples(
            self,
            samples,
            self.genes,
            self.expression,
            inputs.read_files,
            warnings,
            others=others,
            is_only_epigenome=not others,
        )
