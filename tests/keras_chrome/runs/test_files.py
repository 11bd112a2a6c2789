"""Files of a result."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_chrome.runs.files import write_outputs


def test_outputs_are_written_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = write_outputs(
        "~/new/out",
        figures={"signal": Figure()},
        tables={"signal": pd.DataFrame({"mark": ["H3K4me3"]})},
        texts={"signal.md": "# Signal\n"},
    )
    names = ["signal.png", "signal.svg", "signal.csv", "signal.md"]
    assert paths == [tmp_path / "new" / "out" / name for name in names]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(names)
    assert paths[2].read_text() == "mark\nH3K4me3\n"
    assert paths[3].read_text() == "# Signal\n"


def test_a_figure_that_cannot_be_drawn_leaves_nothing(tmp_path: Path) -> None:
    figure = Figure()
    figure.suptitle("$\\nothing$")
    with pytest.raises(ValueError, match="nothing"):
        write_outputs(tmp_path / "out", figures={"x": figure}, tables={"x": pd.DataFrame()})
    assert not list((tmp_path / "out").iterdir())
