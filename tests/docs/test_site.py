"""The site builds without a warning, asks nobody else for anything, and no link in it is dead."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import site_blocks
import site_commands
import site_python

pytestmark = pytest.mark.slow

# What a browser fetches by itself, and where each says what.
FETCHED = {
    **dict.fromkeys(("img", "script", "iframe", "source", "video", "audio", "embed"), "src"),
    "link": "href",
    "object": "data",
}


@dataclass
class Page(HTMLParser):
    """What a page links to, fetches, and calls its places.

    Attributes:
        path: Its file.
    """

    path: Path
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in FETCHED and given.get(FETCHED[tag]) and given.get("rel") != "canonical":
            self.fetched.append(given[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=site_blocks.ROOT, env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """All pages by path; that of errors is made for the root of a server."""
    found = sorted(path for path in site.rglob("*.html") if path.name != "404.html")
    return {path.relative_to(site).as_posix(): Page(path) for path in found}


def inner(page: Page, targets: list[str]) -> Iterator[tuple[Path, str]]:
    """The files and places within the site that a page names."""
    for target in targets:
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, place = target.partition("#")
        yield (page.path.parent / unquote(path)).resolve() if path else page.path, unquote(place)


def test_no_link_is_dead(site: Path, pages: dict[str, Page]) -> None:
    assert len(pages) > 30
    by_file = {page.path.resolve(): page for page in pages.values()}
    for name, page in pages.items():
        for file, place in inner(page, page.links + page.fetched):
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), f"{name}: nothing is at {file.relative_to(site.resolve())}"
            if place and file in by_file:
                assert place in by_file[file].places, f"{name}: no #{place} in {file.name}"


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        outside = [target for target in page.fetched if re.match(r"[a-z]*:?//", target)]
        assert not outside, f"{name} fetches {outside}"
        # Such diagrams are drawn by a script from elsewhere.
        assert 'class="mermaid"' not in page.path.read_text(), name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", sheet.read_text()), sheet.name


def test_every_public_name_has_a_place(pages: dict[str, Page]) -> None:
    for name, page in site_python.PAGES.items():
        places = pages[f"reference/python/{name}.html"].places
        for headings in site_python.entries(page).values():
            assert not headings.keys() - places, name


def test_every_command_and_option_has_a_place(pages: dict[str, Page]) -> None:
    page = pages["reference/commands.html"]
    text = page.path.read_text()
    for command in site_commands.all_commands():
        assert command.module.removesuffix(".__main__") in page.places
        parser = site_commands.parser_of(command.module)
        for actions in site_commands.options_of(parser).values():
            for action in actions:
                for option in action.option_strings or [action.dest.upper()]:
                    assert option in text, f"{command.name} {option}"


@pytest.mark.parametrize("word", ["integrated", "sample-sheet", "context_chrome", "onnx"])
def test_search_finds(site: Path, word: str) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert any(word in entry["text"] + entry["title"] for entry in index["docs"])
