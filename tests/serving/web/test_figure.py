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


def heights(root: ElementTree.Element, mark: int) -> list[float]:
    """How far above the line of zero each bin of a mark's signal is drawn."""
    path = of_class(root, "signal")[mark].get("d", "")
    zero = float(path.split()[1].split("V")[0])
    return [zero - float(y) for y in re.findall(r"V([\d.]+)H", path)]


def test_signal_is_drawn_from_zero_each_mark_on_its_own_scale() -> None:
    root = parsed(picture())
    nothing, half, highest, last = heights(root, 0)
    assert highest == 2 * half > 20
    assert nothing == last == 0
    assert heights(root, 1) == [0] * 4
    # The scale of each mark ends at its highest signal, and at one read at least.
    assert "8" in texts(root) and "1" in texts(root)
    little = np.array([[0, 0.5], [4, 0], [8, 0], [0, 0]], np.float32)
    assert heights(parsed(picture(signal=little)), 1)[0] == half


@pytest.mark.parametrize("is_narrow", [True, False])
def test_signal_has_its_unit_where_it_is_known(is_narrow: bool) -> None:
    root = parsed(picture(signal_unit="fold change"), is_narrow=is_narrow)
    assert texts(root).count("fold change") == 1
    assert "H3K4me3: signal up to 8 fold change," in root.get("aria-label", "")
    assert "H3K4me3: signal up to 8," in parsed(picture()).get("aria-label", "")


def test_signal_below_zero_hangs_from_the_line() -> None:
    signal = np.array([[-1, 0], [1, 0], [0, 0], [0, 0]], np.float32)
    below, above, *others = heights(parsed(picture(signal=signal)), 0)
    assert below == -above < -10
    assert others == [0, 0]


def test_alpha_is_a_cell_a_bin_on_one_scale_for_all_marks() -> None:
    root = parsed(picture())
    width = (float(root.get("data-right", "")) - float(root.get("data-left", ""))) / 4
    strips = []
    for strip in of_class(root, "heat"):
        cells = {
            cell.get("class"): [
                float(w) / width for w in re.findall(r"h([\d.]+)", cell.get("d", ""))
            ]
            for cell in strip.iter(f"{SVG}path")
        }
        strips.append(cells)
    # Bins of the same colour next to each other are one cell.
    assert strips == [{"a0": [2, 1], "a32": [1]}, {"a8": [4]}]


def test_even_attention_is_pale() -> None:
    alpha = np.full((2, 100), 0.01, np.float32)
    even = picture(region=Region(100), signal=np.zeros((100, 2)), alpha=alpha)
    root = parsed(even)
    assert len(of_class(root, "a8")) == 3  # two strips and the key
    assert "0.04" in texts(root)


@pytest.mark.parametrize("is_narrow", [True, False])
def test_beta_is_bars_on_a_scale_from_zero_to_one(is_narrow: bool) -> None:
    root = parsed(picture(), is_narrow=is_narrow)
    long, short = (float(bar.get("width", "")) for bar in of_class(root, "beta"))
    for track in of_class(root, "track"):
        whole = float(track.get("width", ""))
        assert (long, short) == pytest.approx((0.75 * whole, 0.25 * whole), abs=0.01)
    assert len(of_class(root, "track")) == 2
    if not is_narrow:
        assert {"0", "0.5", "1"} <= set(texts(root))
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
    # Not below zero, nor above one.
    assert spans[1] == pytest.approx([x, x + short * 3], abs=0.02)
    sure = picture(beta=np.array([0.9, 0.1]), beta_sd=np.array([0.3, 0.3]))
    whisker = of_class(parsed(sure, is_narrow=is_narrow), "whisker")[0].get("d", "")
    assert f"H{x + long / 0.75:g}" in whisker
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


CONTRIBUTION = np.array([[0.5, -0.25, 0.0, 1.0], [-1.0, 0.0, -1.0, 0.25]], np.float32)


def bars(root: ElementTree.Element, name: str, mark: int) -> list[float]:
    """How far from the line of zero each bin is drawn that raises, or lowers, the answer."""
    (group,) = of_class(root, "contribution")
    drawn = of_class(group, name)[mark].get("d", "")
    zero = float(drawn.split()[1].split("V")[0])
    return [zero - float(y) for y in re.findall(r"V([\d.]+)H", drawn)]


@pytest.mark.parametrize("is_narrow", [True, False])
def test_contributions_are_bars_up_and_down_on_one_scale_for_all_marks(is_narrow: bool) -> None:
    root = parsed(picture(contribution=CONTRIBUTION), is_narrow=is_narrow)
    raises = np.array([bars(root, "raises", mark) for mark in (0, 1)])
    lowers = np.array([bars(root, "lowers", mark) for mark in (0, 1)])
    # From the lowest to the highest contribution the strip is 26 high.
    np.testing.assert_allclose(raises, 13 * CONTRIBUTION.clip(min=0), atol=0.02)
    np.testing.assert_allclose(lowers, 13 * CONTRIBUTION.clip(max=0), atol=0.02)
    adds = "" if is_narrow else "adds "
    assert {f"{adds}+1.25", f"{adds}\N{MINUS SIGN}1.75"} <= set(texts(root))
    assert "lowers the logit, by up to 1 a bin" in texts(root)
    words = root.get("aria-label", "")
    assert "H2A.Z: signal up to 0" in words
    assert "adds \N{MINUS SIGN}1.75 to the logit" in words
    # They make room for themselves, below alpha and above the next mark.
    without = parsed(picture(), is_narrow=is_narrow)
    height, less = (float(r.get("viewBox", "").split()[3]) for r in (root, without))
    assert height == less + 2 * 29 + 24
    assert not of_class(without, "raises")


def test_contributions_that_are_all_zero_are_a_line() -> None:
    root = parsed(picture(contribution=np.zeros((2, 4), np.float32)))
    assert bars(root, "raises", 0) == bars(root, "lowers", 1) == [0] * 4


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
    tss = place_of(of_class(root, "guide")[0])
    assert tss == (float(root.get("data-left", "")) + float(root.get("data-right", ""))) / 2
    assert [np.sign(place_of(head) - tss) for head in of_class(root, "head")] == (
        [direction] if direction else []
    )
    assert f"distance from the TSS, kb, {axis}" in texts(root)


def place_of(path: ElementTree.Element) -> float:
    """Where a path starts, from the left."""
    return float(path.get("d", "").removeprefix("M").split()[0])


def test_the_axis_is_in_kb_around_the_tss() -> None:
    root = parsed(picture(region=Region(4, 500, 1000)))
    on_axis = [e for e in of_class(root, "tick") if e.get("text-anchor") == "middle"]
    places = {e.text: float(e.get("x", "")) for e in on_axis}
    assert places["\N{MINUS SIGN}1"] == float(root.get("data-left", ""))
    assert places["0"] == place_of(of_class(root, "guide")[0])
    assert places["1"] == float(root.get("data-right", ""))


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
    of = picture(contribution=CONTRIBUTION)
    root = ElementTree.fromstring(standalone(of, "PAX5: 0.9", "tiny, version 3"))
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
    ends = {e.text: float(e.get("x", "")) for e in gauge.iter("text")}
    low, high = ends["0 low"], ends["high 1"]
    (dot,) = (float(e.get("cx", "")) for e in gauge.iter("circle"))
    assert dot == low + 0.75 * (high - low)
    (whisker,) = (e.get("d", "") for e in gauge.iter("path") if e.get("class") == "whisker")
    start, end = re.match(r"M([\d.]+) [\d.]+H([\d.]+)", whisker).groups()  # type: ignore[union-attr]
    (middle,) = (place_of(e) for e in gauge.iter("path") if e.get("class") == "middle")
    assert middle == (low + high) / 2
    # Not beyond the scale.
    assert (float(start), float(end)) == (low + 0.25 * (high - low), high)
    track, filled = ElementTree.fromstring(str(draw_bar(0.25))).iter("rect")
    assert float(filled.get("width", "")) == 0.25 * float(track.get("width", ""))
