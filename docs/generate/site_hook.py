"""Brings into the site what is made of the code, and pages that lie elsewhere in the repository."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from site_commands import commands_page
from site_links import BROUGHT, with_site_links
from site_notebooks import NOTEBOOKS, notebook_page
from site_python import PAGES, python_page

_ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages, and every file that one of them links to."""
    texts = {"reference/commands.md": commands_page()}
    for name, page in PAGES.items():
        texts[f"reference/python/{name}.md"] = python_page(page, is_first=name == "verbs")
    pictures: dict[str, bytes] = {}
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        texts[f"notebooks/{notebook.stem}.md"], drawn = notebook_page(notebook)
        pictures |= {f"notebooks/{name}": picture for name, picture in drawn.items()}
    linked: dict[str, str] = {}
    for source, page_path in BROUGHT.items():
        text = (_ROOT / source).read_text()
        texts[page_path] = with_site_links(text, source, page_path, files=linked)
    for file in files.documentation_pages():
        source = f"docs/{file.src_uri}"
        with_site_links((_ROOT / source).read_text(), source, file.src_uri, files=linked)
    for path, text in texts.items():
        files.append(File.generated(config, path, content=text))
    for path, picture in pictures.items():
        files.append(File.generated(config, path, content=picture))
    for source, path in linked.items():
        # As text, which a browser shows; there is nothing to look at in a folder.
        if (_ROOT / source).is_file():
            files.append(File.generated(config, path, content=(_ROOT / source).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links of the pages in docs/ to the rest of the repository lead to pages."""
    if page.file.generated_by:
        return markdown
    return with_site_links(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)
