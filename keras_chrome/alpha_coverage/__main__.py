"""`python -m keras_chrome.alpha_coverage RUN --mark H3K4me3 --validation-mark H3K27ac`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.alpha_coverage.coverage import alpha_coverage
from keras_chrome.alpha_coverage.output import summary, write_alpha_coverage
from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_stem
from keras_chrome.runs.study import GeneArguments, OnArguments
from keras_chrome.runs.validation_mark import MARK, ValidationArguments


@dataclass(frozen=True, kw_only=True)
class Options(ValidationArguments, OnArguments, GeneArguments):
    """Options of the command."""

    run: Path = option("run directory, of a variant with attention over bins", positional=True)
    mark: str = option("mark attended to", default=MARK)
    seed: int = option("seed of the bootstrap", default=0)
    out: Path | None = option(
        "stem of the files to write, or one of them, ending in .png, .svg, .pdf or .csv (default: "
        "RUN/figures/alpha_coverage-MARK)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.alpha_coverage",
        description="Draw the attention of a run to a mark under the signal of a mark that it was "
        "not trained on, over the genes that are expressed and predicted ON.",
    )
    if given.out:
        checked_stem(given.out)
    quieten_tensorflow()
    coverage = alpha_coverage(
        given.run,
        mark=given.mark,
        validation_mark=given.validation_mark,
        validation_dataset=given.validation_dataset,
        across_epigenomes=given.across_epigenomes,
        on_threshold=given.on_threshold,
        min_genes=given.min_genes,
        seed=given.seed,
        **given.gene_options(),
    )
    print(summary(coverage))
    stem = given.out or given.run / "figures" / f"alpha_coverage-{coverage.mark}"
    print("", *write_alpha_coverage(coverage, stem), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
