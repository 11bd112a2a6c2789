"""Run the notebooks anew, each in an empty folder, and keep what they print and draw.

Run it as: python docs/generate/run_notebooks.py docs/notebooks/*.ipynb
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def run_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook as it runs from top to bottom, whatever stands in it.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name="python3",
            resources=resources,
            coalesce_streams=True,
        )
        # The checkout that the notebook lies in, whatever is installed.
        client.execute(env={**os.environ, "PYTHONPATH": str(path.resolve().parents[2])})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = output.text.replace("\r\n", "\n").lstrip("\n")
    return notebook


def main() -> None:
    """Run the notebooks that are named."""
    for path in map(Path, sys.argv[1:]):
        nbformat.write(run_notebook(path), path)
        print(path)


if __name__ == "__main__":
    main()
