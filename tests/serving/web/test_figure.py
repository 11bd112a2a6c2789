"""The drawing: what is where, in numbers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from serving.web.figure import draw_bar, draw_gene, draw_probability, standalone
from serving.web.gene_picture import GenePicture, Region

SVG = "{http://www.w3.org/2000/svg}"
MARKS = ("H3K4me3", "H2A.Z")
REGION = Region(4, 100, 200, oriented=False)
SIGNAL = np.array([[0, 0], [4, 0], [8, 0], [0, 0]], np.float32)
ALPHA = np.array([[0, 0, 1, 0], [0.25, 0.25, 0.25, 0.25]], np.float32)
BETA = np.array([0.75, 0.25], np.float32)


def picture(**changes: object) -> GenePicture:
    options = {"region": REGION, "signal": SIGNAL, "alpha": ALPHA, "beta": BETA, **changes}
    return GenePicture("PAX5", MARKS, **options)  # type: ignore[arg-type]


def parsed(of: GenePicture, *, is_narrow: bool = False) -> ElementTree.Element:
    drawing = str(draw_gene(of, is_narrow=is_narrow))
    return ElementTree.fromstring(drawing.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in root.iter() if name in e.get("class", "").split()]


def texts(root: ElementTree.Element) -> list[str]:
    return [e.text or "" for e in root.iter(f"{SVG}text")]


def test_signal_is_a_line_of_steps_on_its_own_scale() -> None:
    root = parsed(picture())
    first, empty = of_class(root, "signal")
    # 600 units for 4 bins from 118; 46 units for 8 reads, from 76 up to 30.
    assert first.get("d") == "M118 76V76H268V53H418V30H568V76H718V76Z"
    # One read is the least that a scale holds.
    assert empty.get("d") == "M118 157V157H268V157H418V157H568V157H718V157Z"
    assert "8" in texts(root) and "1" in texts(root)


def test_signal_below_zero_hangs_from_the_line() -> None:
    signal = np.array([[-1, 0], [1, 0], [0, 0], [0, 0]], np.float32)
    first, _ = of_class(parsed(picture(signal=signal)), "signal")
    assert first.get("d") == "M118 53V76H268V30H418V53H568V53H718V53Z"


def test_alpha_is_a_cell_a_bin_on_one_scale_for_all_marks() -> None:
    strips = of_class(parsed(picture()), "heat")
    cells = [{c.get("class"): c.get("d") for c in of} for of in strips]
    # Bins of the same colour next to each other are one cell.
    assert cells[0]["a0"] == "M118 79h300v16h-300zM568 79h150v16h-150z"
    assert cells[0]["a32"] == "M418 79h150v16h-150z"
    assert cells[1]["a8"] == "M118 160h600v16h-600z"


def test_even_attention_is_pale() -> None:
    alpha = np.full((2, 100), 0.01, np.float32)
    even = picture(region=Region(100), signal=np.zeros((100, 2)), alpha=alpha)
    root = parsed(even)
    assert len(of_class(root, "a8")) == 3  # two strips and the key
    assert "0.04" in texts(root)


@pytest.mark.parametrize("is_narrow", [True, False])
def test_beta_is_bars_on_one_scale_from_zero(is_narrow: bool) -> None:
    root = parsed(picture(), is_narrow=is_narrow)
    long, short = (float(bar.get("width", "")) for bar in of_class(root, "beta"))
    assert long == pytest.approx(3 * short, rel=0.01)
    prefix = "beta " if is_narrow else ""
    assert {f"{prefix}0.75", f"{prefix}0.25"} <= set(texts(root))
    assert not of_class(root, "whisker")


@pytest.mark.parametrize("is_narrow", [True, False])
def test_an_ensemble_shows_how_far_its_members_differ(is_narrow: bool) -> None:
    sd = np.array([0.25, 0.5], np.float32)
    root = parsed(picture(beta_sd=sd), is_narrow=is_narrow)
    bars = [(float(b.get("x", "")), float(b.get("width", ""))) for b in of_class(root, "beta")]
    spans = [
        [float(v) for v in re.match(r"M([\d.]+) [\d.]+H([\d.]+)", w.get("d", "")).groups()]  # type: ignore[union-attr]
        for w in of_class(root, "whisker")
    ]
    (x, long), (_, short) = bars
    assert spans[0] == pytest.approx([x + long * 2 / 3, x + long * 4 / 3], abs=0.02)
    # Not below zero.
    assert spans[1] == pytest.approx([x, x + short * 3], abs=0.02)
    assert any(text.endswith("0.75 ± 0.25") for text in texts(root))


@pytest.mark.parametrize("is_narrow", [True, False])
@pytest.mark.parametrize(
    ("alpha", "beta"), [(None, None), (ALPHA, None), (None, BETA), (ALPHA, BETA)]
)
def test_variants_without_attention_are_drawn_too(
    alpha: np.ndarray | None, beta: np.ndarray | None, is_narrow: bool
) -> None:
    root = parsed(picture(alpha=alpha, beta=beta), is_narrow=is_narrow)
    assert len(of_class(root, "signal")) == 2
    assert len(of_class(root, "heat")) == (0 if alpha is None else 2)
    assert len(of_class(root, "beta")) == (0 if beta is None else 2)
    height = float(root.get("viewBox", "").split()[3])
    assert 0 < float(root.get("data-bottom", "")) < height
    words = root.get("aria-label", "")
    assert "H3K4me3: signal up to 8" in words
    assert ("alpha highest at 0 to +100 bp" in words) == (alpha is not None)
    assert ("beta 0.75" in words) == (beta is not None)


@pytest.mark.parametrize(
    ("oriented", "strand", "direction", "axis"),
    [
        (True, "-", 1, "along the direction of transcription"),
        (False, "-", -1, "along the genome"),
        (False, "+", 1, "along the genome"),
        (False, "", 0, "along the genome"),
        (None, "-", 0, "in the order of the input"),
    ],
)
def test_the_arrow_points_where_transcription_goes(
    oriented: bool | None, strand: str, direction: int, axis: str
) -> None:
    of = picture(region=Region(4, 100, 200, oriented), strand=strand)
    root = parsed(of)
    assert of.direction == direction
    (guide,) = of_class(root, "guide")
    assert guide.get("d", "").startswith("M418 ")
    heads = [e.get("d", "") for e in of_class(root, "head")]
    assert heads == (
        [] if not direction else [f"M{418 + 33 * direction} 10l{-8 * direction} -4.5v9z"]
    )
    assert f"distance from the TSS, kb, {axis}" in texts(root)


def test_the_axis_is_in_kb_around_the_tss() -> None:
    root = parsed(picture(region=Region(4, 500, 1000)))
    on_axis = [e for e in of_class(root, "tick") if e.get("text-anchor") == "middle"]
    places = {e.text: e.get("x") for e in on_axis}
    assert [places[text] for text in ("\N{MINUS SIGN}1", "0", "1")] == ["118", "418", "718"]


def test_without_bp_the_axis_counts_bins() -> None:
    root = parsed(picture(region=Region(4, None, None, False)))
    assert {"1", "2", "3", "4"} <= set(texts(root))
    assert "bin, along the genome" in texts(root)
    assert not of_class(root, "guide")
    assert "TSS" not in texts(root)
    assert Region(4).place(0) == "bin 1"


def test_names_stay_text() -> None:
    name = '"><script>alert(1)</script>\x00\x1b\u202e&'
    of = GenePicture(name, MARKS, REGION, SIGNAL)
    root = parsed(of)
    assert root.get("aria-label", "").startswith(
        'Signal and attention of "><script>alert(1)</script>\ufffd\ufffd\ufffd&.'
    )
    file = standalone(of, name, "<b>")
    assert "<script" not in file
    ElementTree.fromstring(file)


def test_a_file_of_its_own_needs_nothing_else() -> None:
    root = ElementTree.fromstring(standalone(picture(), "PAX5: 0.9", "tiny, version 3"))
    assert {"PAX5: 0.9", "tiny, version 3"} <= set(texts(root))
    (style,) = root.iter(f"{SVG}style")
    assert "var(" not in (style.text or "") and "url(" not in (style.text or "")
    rules = set(re.findall(r"\.([a-z][\w-]*)", style.text or ""))
    used = {name for e in root.iter() for name in e.get("class", "").split()}
    assert used <= rules
    x, y, width, height = map(float, root.get("viewBox", "").split())
    for text in root.iter(f"{SVG}text"):
        assert x <= float(text.get("x", "")) <= x + width
        assert y <= float(text.get("y", "")) <= y + height


def test_probability_is_a_place_on_a_scale() -> None:
    gauge = ElementTree.fromstring(str(draw_probability(0.75, 0.5)))
    assert [e.get("cx") for e in gauge.iter("circle")] == ["176"]
    (whisker,) = (e.get("d", "") for e in gauge.iter("path") if e.get("class") == "whisker")
    assert re.match(r"M64 12(\.0)?H232M", whisker)
    assert 'width="16"' in str(draw_bar(0.25))
