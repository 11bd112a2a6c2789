"""Fuzzes a reader with inputs that reach code which no other input has, as Atheris sees it.

    pip install atheris
    python tests/fuzz/guided.py bedgraph -max_total_time=600 [-OPTION_OF_LIBFUZZER=VALUE ...]

The inputs are those of the reader's fuzz tests, of which Atheris turns the choices. Of readers that
run in a process of their own it sees nothing, and of tests that need fixtures it makes none.
"""

import random
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
from harness import Outcome, Tally, module_of
from hypothesis import HealthCheck, given, settings

PACKAGES = ["tfds_remc", "keras_chrome", "export", "serving"]


def main() -> None:
    """Run it: until the time is over, or an input is found that should not be."""
    reader, *options = sys.argv[1:]
    root = Path(__file__).parents[2]
    with (root / "pyproject.toml").open("rb") as file:
        paths = tomllib.load(file)["tool"]["pytest"]["ini_options"]["pythonpath"]
    sys.path += [str(root / path) for path in paths]
    with atheris.instrument_imports(include=PACKAGES):
        module = module_of(str(Path(__file__).with_name(f"test_{reader}.py")))
        tests = [made.of_content for made in vars(module).values() if hasattr(made, "of_content")]
        tally, folder = Tally(), Path(tempfile.mkdtemp(prefix="guided-"))
        asks = [fuzzed(inputs, test, tally, folder) for inputs, test in tests]
        # Modules that are imported late are imported now.
        for ask in asks:
            ask(random.Random(0).randbytes(1000))

    def one_input(choices: bytes) -> None:
        if choices:
            asks[choices[0] % len(asks)](choices[1:])
        if tally["tried"] % 1000 == 0:
            print(dict(tally), flush=True)

    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()


def fuzzed(
    inputs: Any, test: Callable[..., Outcome], tally: Tally, tmp_path: Path
) -> Callable[[bytes], bytes | None]:
    """A test as a function of the bytes that its input is made of."""

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs)
    def ask(content: Any) -> None:
        outcome = test(content, tmp_path)
        tally["tried"] += 1
        tally["refused" if outcome.refusal else "right"] += 1

    return ask.hypothesis.fuzz_one_input  # type: ignore[attr-defined, no-any-return]


if __name__ == "__main__":
    main()
