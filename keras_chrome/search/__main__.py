"""`python -m keras_chrome.search --dataset remc/E012 --out-dir searches/a`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from keras_chrome.command_line import parse_given, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.fit.config import FitConfig
from keras_chrome.search.config import FIT_OPTIONS, SET_BY_SEARCH, SearchConfig
from keras_chrome.search.loop import search


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse_given(
        *(SearchConfig, FitConfig),
        argv=argv,
        prog="python -m keras_chrome.search",
        description="Search for the options of a training that validate best, on training and "
        "validation genes alone. An option of fit that is given is not searched. The same command "
        "again goes on where it was broken off.",
        leave_out=SET_BY_SEARCH - {field.name for field in dataclasses.fields(SearchConfig)},
    )
    fit_options = {name: given.pop(name) for name in given.keys() & FIT_OPTIONS}
    config = SearchConfig(**given, fit_options=fit_options)
    quieten_tensorflow()
    found = search(config)

    from keras_chrome.search.output import summary

    out_dir = Path(config.out_dir)
    print("", summary(found), "", out_dir / "trials.csv", out_dir / "best.json", sep="\n")


if __name__ == "__main__":
    run_command(main, InputError)
