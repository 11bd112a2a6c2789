"""The notebooks as pages, with what they printed and drew."""

import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

_TABLE = re.compile(r'<table border="1" class="dataframe">(.*?)</table>', re.DOTALL)

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as it was run: a page, and its pictures by name.

    Args:
        path: The notebook, whose pictures are called after it.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).pop("text/html", "")
            # Of what Jupyter would show styled, tables are given the site's style.
            if table := _TABLE.search(html):
                output["data"]["text/html"] = f"<table>{table[1]}</table>"
    page, resources = MarkdownExporter().from_notebook_node(
        notebook, resources={"unique_key": path.stem}
    )
    return f"[As a notebook]({path.name}){{: download }}\n\n{page}", resources["outputs"]
