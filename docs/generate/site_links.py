"""Pages that lie outside docs/, and links that hold in the repository and on the site alike."""

import posixpath
import re
from collections.abc import Callable, Mapping

BROUGHT = {
    "tfds_remc/remc/README.md": "data.md",
    "serving/README.md": "serving/index.md",
    "serving/web/README.md": "serving/web.md",
    "serving/container/README.md": "serving/container.md",
    "workflow/README.md": "workflow.md",
    "CONTRIBUTING.md": "develop/contributing.md",
    "SECURITY.md": "develop/security.md",
    "CHANGELOG.md": "develop/changelog.md",
}
"""Files of the repository that are pages too: their path there, and their page."""

FILES = "repository"
"""Where on the site other files of the repository lie that a page links to."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"(\]\()([^()\s]+)(\))|^(\[[^\]]+\]:\s+)(\S+)()", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/", re.IGNORECASE)


def page_of(path: str) -> str | None:
    """The page that a file of the repository is, by its path; None if it is none."""
    if path.startswith("docs/"):
        return re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/"))
    # The landing page of the site says what the README does.
    return "index.md" if path == "README.md" else BROUGHT.get(path)


def links_of(markdown: str) -> list[str]:
    """The targets of all links of a page, outside of code."""
    found: list[str] = []
    _each_link(markdown, lambda target: found.append(target) or target)
    return found


def with_site_links(
    markdown: str, source: str, page: str, *, files: Mapping[str, str] | None = None
) -> str:
    """A page whose links within the repository lead to the pages of the site.

    Args:
        markdown: The page.
        source: Its path in the repository.
        page: Its path on the site.
        files: Filled with every other file of the repository that it links to: path there, path
            on the site.
    """

    def on_site(target: str) -> str:
        if _ELSEWHERE.match(target):
            return target
        path, hash_, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        there = page_of(path)
        if there is None:
            there = f"{FILES}/{path}"
            if files is not None:
                files[path] = there  # type: ignore[index]
        return posixpath.relpath(there, posixpath.dirname(page) or ".") + hash_ + anchor

    return _each_link(markdown, on_site)


def _each_link(markdown: str, change: Callable[[str], str]) -> str:
    """A page with each link's target changed; code is left alone."""
    kept: list[str] = []

    def keep(code: re.Match[str]) -> str:
        kept.append(code[0])
        return f"\0{len(kept) - 1}\0"

    def relinked(link: re.Match[str]) -> str:
        before, target, after = (link[1], link[2], link[3]) if link[1] else link.group(4, 5, 6)
        return before + change(target) + after

    text = _CODE.sub(keep, _FENCE.sub(keep, markdown))
    text = _LINK.sub(relinked, text)
    # What is in a fence was kept first, and so may be within nothing else.
    while "\0" in text:
        text = re.sub("\0(\\d+)\0", lambda number: kept[int(number[1])], text)
    return text
