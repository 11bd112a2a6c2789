"""`python -m keras_chrome.alpha_profile RUN`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.alpha_profile.output import format_profile
from keras_chrome.alpha_profile.profile import alpha_profile
from keras_chrome.command_line import import_tensorflow_quietly, run_command
from keras_chrome.runs.files import write_csv, write_figure
from keras_chrome.runs.study import add_study_options, study_options


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.alpha_profile",
        description="Draw the attention of a run over bins and marks, averaged over the genes "
        "predicted ON and OFF, in the direction of transcription.",
    )
    parser.add_argument("run", help="run directory, of a variant with attention over bins")
    add_study_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument(
        "--out", help="stem of the files to write (default: RUN/figures/alpha_profile)"
    )
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    profile = alpha_profile(given.run, seed=given.seed, **study_options(given))
    print(format_profile(profile))

    from keras_chrome.alpha_profile.figure import draw_alpha_profile

    stem = Path(given.out) if given.out else Path(given.run) / "figures" / "alpha_profile"
    write_figure(stem, draw_alpha_profile(profile))
    write_csv(stem.with_name(f"{stem.name}.csv"), profile.table)
    print(*(f"{stem}{suffix}" for suffix in (".png", ".svg", ".csv")), sep="\n")


if __name__ == "__main__":
    run_command(main)
