"""The notebooks as pages, with what they printed and drew."""

from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as it was run: a page, and its pictures by name.

    Args:
        path: The notebook, whose pictures are called after it.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # In Markdown an empty line would end the piece of HTML.
            if html := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = "\n".join(
                    line.strip() for line in html.splitlines() if line.strip()
                )
    page, resources = MarkdownExporter().from_notebook_node(
        notebook, resources={"unique_key": path.stem}
    )
    return f"[As a notebook]({path.name}){{: download }}\n\n{page}", resources["outputs"]
