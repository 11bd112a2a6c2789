"""`python -m keras_chrome.perturb RUN --mark H3K27me3 --scale 0`, or without `--mark` all marks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.perturb.effects import perturb, perturb_all_marks
from keras_chrome.perturb.output import summary, write_perturbation
from keras_chrome.perturb.perturbation import Perturbation
from keras_chrome.runs import open_run
from keras_chrome.runs.files import checked_directory, gene_file_name
from keras_chrome.runs.study import GENE_HELP, GeneArguments, ThresholdArguments


@dataclass(frozen=True, kw_only=True)
class Options(GeneArguments, ThresholdArguments, Perturbation):
    """Options of the command: the perturbation, and of what."""

    run: Path = option("run directory", positional=True)
    all_marks: bool = option("the same as no --mark", default=False)
    gene: str | None = option(f"with --mark, one gene of any split: {GENE_HELP}", default=None)
    out: Path | None = option("directory to write to (default: RUN/perturbation)", default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mark is not None and self.all_marks:
            raise InputError(f"Expected --mark or --all-marks. Received: both, mark={self.mark!r}")
        if self.mark is None and self.gene is not None:
            raise InputError(f"Expected --mark with --gene. Received: gene={self.gene!r} alone")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.perturb",
        description="Change the signal of a mark and see how a run's predictions change, gene by "
        "gene, or do so for every mark and every pair of marks.",
    )
    directory = checked_directory(given.out or given.run / "perturbation")
    if given.mark is not None:
        given = replace(given, mark=open_run(given.run).find_mark(given.mark))
    quieten_tensorflow()
    change = perturb_all_marks if given.mark is None else perturb
    genes = given.gene_options(given.gene)
    effects = change(given.run, given, on_threshold=given.on_threshold, **genes)
    print(summary(effects, given))
    of = given.split or "test"
    if given.gene is not None:
        of = gene_file_name(str(effects["gene"].iloc[0]))
    stem = directory / f"{given.name}-{of}"
    print("", *write_perturbation(effects, given, stem), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
