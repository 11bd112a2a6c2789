"""The page as a reader without a browser sees it, and as somebody who fills in its form."""

from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

_VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """Elements and texts of a page that closes what it opens."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._open: list[tuple[str, str]] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag in _VOID:
            return
        self._open.append((tag, found.get("id") or ""))
        if tag == "tr":
            self.tables.setdefault(self._table, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if any(tag in ("td", "th") for tag, _ in self._open):
            self.tables[self._table][-1][-1] += data

    @property
    def _table(self) -> str:
        return next(name for tag, name in reversed(self._open) if tag == "table")

    def values(self, attribute: str, tag: str | None = None) -> list[str]:
        return [a[attribute] or "" for t, a in self.elements if attribute in a and tag in (None, t)]

    def link(self, text: str) -> str:
        (found,) = [link for link in self.values("href", "a") if text in link]
        return found


def send(page: TestClient, follow: bool = True, file: bytes | None = None, **fields: str) -> Any:
    files: dict[str, Any] = {name: (None, text) for name, text in fields.items()}
    files["file"] = ("", b"") if file is None else ("own genes.csv", file, "text/csv")
    return page.post("/predict", files=files, follow_redirects=follow)


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").replace(",", ""))
