"""SVG files as parts of a page."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_chrome.errors import InputError
from keras_chrome.report.svg import inline_svg
from keras_chrome.runs.files import write_figure

HOSTILE = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
     viewBox="0 0 10 10" width="10pt" onload="alert(1)">
  <!-- a comment -->
  <metadata>secret</metadata>
  <style>* { fill: url(http://example.org/a) }</style>
  <script>alert(2)</script>
  <foreignObject><p>text</p></foreignObject>
  <defs><clipPath id="c"><rect id="r" width="5" height="5"/></clipPath></defs>
  <a href="javascript:alert(3)"><path d="M0 0"/></a>
  <path id="p" d="M0 0L1 1" clip-path="url(#c)" onclick="alert(4)"
        style="fill: none; stroke: #0072B2; background: url(http://example.org/b)"/>
  <path d="M1 1" fill="url(http://example.org/c)"/>
  <use xlink:href="#p" x="1"/>
  <use xlink:href="http://example.org/d.svg#p"/>
  <image href="data:image/svg+xml;base64,AAAA"/><image href="data:image/png;base64,AAAA"/>
</svg>"""


def test_what_could_run_or_load_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(HOSTILE)
    markup = inline_svg(tmp_path / "a.svg", prefix="run-0-", title="5 < 6 & <b>")
    for word in ("script", "alert", "http", "style", "secret", "comment", "foreign", "svg+xml"):
        assert word not in markup, word
    root = ElementTree.fromstring(markup)
    assert root.get("role") == "img"
    assert root[0].text == "5 < 6 & <b>"
    assert root.get("aria-labelledby") == root[0].get("id") == "run-0-title"
    assert root.get("width") is None
    path = next(e for e in root.iter("path"))
    assert path.attrib == {
        "id": "run-0-p",
        "d": "M0 0L1 1",
        "clip-path": "url(#run-0-c)",
        "fill": "none",
        "stroke": "#0072B2",
    }
    assert [use.get("href") for use in root.iter("use")] == ["#run-0-p", None]
    assert [image.get("href") for image in root.iter("image")] == [
        None,
        "data:image/png;base64,AAAA",
    ]


def test_a_figure_of_matplotlib_keeps_its_references(tmp_path: Path) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.imshow(np.eye(3))
    axes.plot([0, 1], [0, 1], marker="o")
    write_figure(tmp_path / "figure.svg", figure)
    root = ElementTree.fromstring(inline_svg(tmp_path / "figure.svg", prefix="x-", title="t"))
    ids = {element.get("id") for element in root.iter()} - {None}
    references = {e.get("href", "")[1:] for e in root.iter("use")}
    references |= {e.get("clip-path", "")[5:-1] for e in root.iter() if e.get("clip-path")}
    assert len(references) > 3
    assert references <= ids
    assert all(str(name).startswith("x-") for name in ids)
    assert not any("style" in element.attrib for element in root.iter())


def test_text_of_a_figure_stays_text_and_markers_look_as_where_they_are_used(
    tmp_path: Path,
) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], marker="o", markeredgecolor="#ffffff", color="#123456")
    axes.set_title("alpha", weight="bold", fontsize=8)
    write_figure(tmp_path / "figure.svg", figure)
    root = ElementTree.fromstring(inline_svg(tmp_path / "figure.svg", prefix="x-", title="t"))
    (title,) = (text for text in root.iter("text") if text.text == "alpha")
    assert float(str(title.get("font-size")).removesuffix("px")) == 8
    assert title.get("font-weight") in ("bold", "700")
    assert str(title.get("font-family")).startswith("'DejaVu Sans'")
    assert "#ffffff" in {use.get("stroke") for use in root.iter("use")}
    shapes = [path for defs in root.iter("defs") for path in defs.findall("path")]
    assert len(shapes) >= 2
    assert not any("stroke" in name for path in shapes for name in path.attrib)


@pytest.mark.parametrize(
    ("font", "looks"),
    [
        ("8px 'DejaVu Sans', sans-serif", {"font-size": "8px"}),
        (
            "italic 700 7.5px 'DejaVu Sans', sans-serif",
            {"font-size": "7.5px", "font-style": "italic", "font-weight": "700"},
        ),
    ],
)
def test_fonts_as_earlier_versions_of_matplotlib_write_them(
    tmp_path: Path, font: str, looks: dict[str, str]
) -> None:
    (tmp_path / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg">'
        f'<text style="font: {font}; text-anchor: middle">a</text></svg>'
    )
    root = ElementTree.fromstring(inline_svg(tmp_path / "a.svg", prefix="x-", title="t"))
    (text,) = root.iter("text")
    family = {"font-family": "'DejaVu Sans', sans-serif", "text-anchor": "middle"}
    assert text.attrib == looks | family


@pytest.mark.parametrize("content", ["<svg", "<html/>"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.svg").write_text(content)
    with pytest.raises(InputError, match=r"Expected a drawing as SVG. Received: .*a\.svg"):
        inline_svg(tmp_path / "a.svg", prefix="", title="")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>',
        b"<g>" * 20_000 + b"</g>" * 20_000,
        b'<svg xmlns="http://www.w3.org/2000/svg">'
        + b"<g>" * 20_000
        + b"</g>" * 20_000
        + b"</svg>",
    ],
    ids=["empty", "no text", "entities", "another drawing", "deep"],
)
def test_a_damaged_drawing_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.svg").write_bytes(content)
    with pytest.raises(InputError, match=r"Expected a drawing as SVG\. Received: \S+a\.svg.*anew"):
        inline_svg(tmp_path / "a.svg", prefix="a-", title="A")
