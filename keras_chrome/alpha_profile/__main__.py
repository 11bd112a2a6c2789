"""`python -m keras_chrome.alpha_profile RUN`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_chrome.alpha_profile.output import summary, write_alpha_profile
from keras_chrome.alpha_profile.profile import alpha_profile
from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.runs.files import checked_stem
from keras_chrome.runs.study import GeneArguments, OnArguments


@dataclass(frozen=True, kw_only=True)
class Options(OnArguments, GeneArguments):
    """Options of the command."""

    run: Path = option("run directory, of a variant with attention over bins", positional=True)
    seed: int = option("seed of the bootstrap", default=0)
    out: Path | None = option(
        "stem of the files to write, or one of them, ending in .png, .svg, .pdf or .csv (default: "
        "RUN/figures/alpha_profile)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.alpha_profile",
        description="Draw the attention of a run over bins and marks, averaged over the genes "
        "predicted ON and OFF, in the direction of transcription.",
    )
    if given.out:
        checked_stem(given.out)
    quieten_tensorflow()
    profile = alpha_profile(
        given.run,
        on_threshold=given.on_threshold,
        min_genes=given.min_genes,
        seed=given.seed,
        **given.gene_options(),
    )
    print(summary(profile))
    stem = given.out or given.run / "figures" / "alpha_profile"
    print(*write_alpha_profile(profile, stem), sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
