"""The notebooks run from top to bottom in an empty folder, and are shown as they ran."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from run_notebooks import run_notebook

NOTEBOOKS = sorted(Path(__file__).parents[2].glob("docs/notebooks/*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def code_cells(path: Path) -> list[Any]:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@each_notebook
def test_what_is_shown_was_run(path: Path) -> None:
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    # Neither errors nor what a library complains of, nor where it was run.
    assert {output.output_type for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert str(Path.home()) not in path.read_text()
    assert all(len(line) <= 100 for cell in cells for line in cell.source.splitlines())


def kinds_of_outputs(notebook: Any) -> list[list[list[str]]]:
    """What each cell shows, as kinds of data; what libraries complain of depends on the machine."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        [
            sorted(output.get("data", [output.output_type]))
            for output in cell.outputs
            if output.get("name") != "stderr"
        ]
        for cell in cells
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own
@each_notebook
def test_it_runs_and_shows_as_much(path: Path) -> None:
    shown = nbformat.read(path, as_version=4)
    assert kinds_of_outputs(run_notebook(path)) == kinds_of_outputs(shown)
