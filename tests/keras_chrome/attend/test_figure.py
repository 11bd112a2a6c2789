"""One gene, as its reader sees it."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from figure_reader import cut_off, overlapping, written
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from keras_chrome.attend import attend
from keras_chrome.attend.__main__ import main
from keras_chrome.attend.figure import draw_gene
from keras_chrome.errors import InputError
from keras_chrome.figures.palette import PAPER, TEXT_CONTRAST, contrast
from keras_chrome.runs import open_study

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


def gene(
    *marks: str,
    highest: float = 30.0,
    beta: float | None = 0.3,
    rpkm: float = 0.066,
    **changes: object,
) -> xr.Dataset:
    rng = np.random.default_rng(0)
    signal = rng.uniform(0, highest, (len(marks), 100))
    facts = {
        "symbol": "PAX5",
        "gene_id": "ENSG00000196092",
        "transcript_id": "",
        "chrom": "chr9",
        "tss": 37034476,
        "strand": "-",
        "oriented": True,
        "label": 0,
        "probability": 0.03,
        **changes,
    }
    variables = {
        "signal": (("mark", "bin"), signal, {"units": "read depth"}),
        "alpha": (("mark", "bin"), rng.dirichlet(np.ones(100), len(marks))),
        **({} if beta is None else {"beta": ("mark", np.full(len(marks), beta))}),
        "rpkm": ((), rpkm, {"units": "RPKM"}),
        **facts,
    }
    return xr.Dataset(
        variables,
        coords={"mark": list(marks), "bin": np.arange(-5000, 5000, 100)},
        attrs={
            "bin_bp": 100,
            "dataset": "remc/E012",
            "split": "test",
            "label_rule": "median",
        },
    )


def with_bars(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.patches and not axes.get_ylabel()]


@pytest.mark.parametrize(
    ("marks", "highest", "unit"),
    [
        (MARKS[:1], 1e-3, "CPM"),
        (MARKS[:2], 0.0, "reads"),
        (MARKS, 30.0, "fold change"),
        ((*MARKS, "H3K27ac", "H2A.Z", "H4K20me1_of_a_long_name"), 123456.0, "read depth"),
    ],
)
def test_no_text_lies_on_another_or_over_the_edge(
    marks: tuple[str, ...], highest: float, unit: str
) -> None:
    drawn = gene(*marks, highest=highest)
    drawn["signal"].attrs["units"] = unit
    figure = draw_gene(drawn)
    assert overlapping(figure) == []
    assert cut_off(figure) == []


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_a_beta_of_any_size_is_written_beside_its_bar(beta: float) -> None:
    figure = draw_gene(gene("H3K4me3", beta=beta))
    (axes,) = with_bars(figure)
    assert axes.patches[0].get_width() == beta
    assert axes.get_xlim() == (0.0, 1.0)
    assert f"{beta:.2f}" in [text for text, *_ in written(figure)]
    assert cut_off(figure) == []
    assert overlapping(figure) == []


def test_every_text_can_be_read_on_paper() -> None:
    for text, _, artist in written(draw_gene(gene(*MARKS, "H3K27ac", "H2A.Z"))):
        assert contrast(to_hex(artist.get_color()), PAPER) >= TEXT_CONTRAST, text


def test_axes_say_what_they_measure_and_beta_goes_from_0_to_1() -> None:
    figure = draw_gene(gene(*MARKS))
    above = [axes for axes in figure.axes if axes.get_ylabel()]
    assert [axes.get_ylabel() for axes in above] == ["read depth"] * 5
    assert [axes.get_title(loc="left") for axes in above] == list(MARKS)
    assert {axes.get_xlim() for axes in above} == {(-5.0, 5.0)}
    beside = with_bars(figure)
    assert [axes.get_xlim() for axes in beside] == [(0.0, 1.0)] * 5
    assert [t.get_text() for t in beside[-1].get_xticklabels()] == ["0", "0.5", "1"]
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert labels >= {
        "kb from the TSS, in the direction of transcription",
        "beta, the attention\nto a mark",
    }


@pytest.mark.parametrize(("highest", "top"), [(0.0, 1.0), (1.0, 1.08), (0.02, 0.0216)])
def test_the_scale_of_a_mark_holds_its_signal(highest: float, top: float) -> None:
    drawn = gene("H3K4me3")
    drawn["signal"][:] = 0.0
    drawn["signal"][0, 7] = highest
    axes = next(axes for axes in draw_gene(drawn).axes if axes.get_ylabel())
    assert axes.get_ylim() == pytest.approx((0, top))
    whole = [float(tick).is_integer() for tick in axes.get_yticks()]
    assert all(whole) == (highest != 0.02)


def test_without_beta_and_along_the_genome() -> None:
    figure = draw_gene(gene(*MARKS, beta=None, oriented=False))
    assert with_bars(figure) == []
    assert "kb from the TSS, on the genome" in {axes.get_xlabel() for axes in figure.axes}
    assert overlapping(figure) == []


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_format_by_option_or_by_the_name(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    name = attended(cnn_run_path)
    main([str(cnn_run_path), "--plot", name, "--format", ending])
    path = Path(capsys.readouterr().out.strip())
    assert path.suffix == f".{ending}"
    assert path.read_bytes().startswith(starts[ending])
    other = cnn_run_path / f"Other.{ending.upper()}"
    main([str(cnn_run_path), "--plot", name, "--out", str(other)])
    assert other.read_bytes().startswith(starts[ending])


def test_text_stays_text_in_vector_files(cnn_run_path: Path) -> None:
    name = attended(cnn_run_path)
    for ending in ("svg", "pdf"):
        path = cnn_run_path / f"gene.{ending}"
        main([str(cnn_run_path), "--plot", name, "--out", str(path)])
    assert ">H3K36me3</text>" in (cnn_run_path / "gene.svg").read_text()
    # TrueType, which can be edited, and not Type 3.
    fonts = (cnn_run_path / "gene.pdf").read_bytes()
    assert b"/CIDFontType2" in fonts
    assert b"/Type3" not in fonts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "gene.jpg"], r"ends in \.png or \.svg or \.pdf\. Received: 'gene\.jpg'"),
        (["--out", "gene"], r"Received: 'gene'; name it so$"),
        (["--format", "pdf", "--out", "gene.png"], r"ends in \.pdf\. Received: 'gene\.png'"),
    ],
)
def test_other_endings_are_refused_before_anything_is_read(
    options: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        main(["runs/none", "--plot", "PAX5", *options])


def attended(run: Path) -> str:
    from keras_chrome.runs import open_run

    return str(open_run(run).load_genes("test").gene_id[0])


def test_contributions_are_drawn_on_one_scale_and_summed() -> None:
    drawn = gene(*MARKS)
    values = np.random.default_rng(1).normal(0, 0.1, (len(MARKS), 100))
    values[2] = 0.0
    drawn["contribution"] = (
        ("mark", "bin"),
        values,
        {"long_name": "what a bin adds to the logit"},
    )
    figure = draw_gene(drawn)
    sums = [
        axes for axes in figure.axes if [t.get_text() for t in axes.get_yticklabels()] == ["adds"]
    ]
    assert {axes.get_ylim() for axes in sums} == {(values.min(), values.max())}
    for axes, of_mark in zip(sums, values, strict=True):
        raises, lowers = (patch.get_data().values for patch in axes.patches)
        np.testing.assert_array_equal(raises + lowers, of_mark)
        assert raises.min() == lowers.max() == 0
    texts = [text for text, *_ in written(figure)]
    for total in values.sum(axis=1):
        assert f"adds {total + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}") in texts
    most = f"{np.abs(values).max():.3g}"
    assert {"raises", f"lowers the logit, by up to {most} a bin"} <= set(texts)
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_an_additive_run_attends_with_contributions(additive_run_path: Path) -> None:
    found = attend(additive_run_path)
    prediction = open_study(additive_run_path).prediction
    np.testing.assert_array_equal(found["contribution"], prediction.contribution)
    assert found["contribution"].attrs["long_name"] == "what a bin adds to the logit"
