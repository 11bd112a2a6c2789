"""What `make fuzz` prints at its end."""

from typing import Any

from harness import SECONDS, TALLIES


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if SECONDS:
        terminalreporter.section("inputs")
        for reader, tally in TALLIES.items():
            if tally["tried"]:
                numbers = "".join(f"{tally[k]:>9,} {k}" for k in ("tried", "right", "refused"))
                terminalreporter.write_line(f"{reader:<24}{numbers}")
