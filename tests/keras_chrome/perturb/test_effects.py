"""Perturbed signal by hand, and what the model makes of it."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from keras_chrome.errors import InputError
from keras_chrome.perturb import Perturbation, perturb, perturb_all_marks, perturb_signal
from keras_chrome.perturb.__main__ import main
from keras_chrome.perturb.output import summary
from keras_chrome.runs import open_study

REGION = {"num_bins": 20, "bin_bp": 500, "flank_bp": 5000}


@pytest.fixture
def baseline_path(_fitted_baseline: Path, tmp_path: Path) -> Path:
    """A copy of a logistic regression on all bins of `remc/small`, which compiles nothing."""
    return Path(shutil.copytree(_fitted_baseline, tmp_path / "baseline"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": -1.0}, r"factor of 0 or more.*scale=-1\.0"),
        ({"scale": float("nan")}, "scale=nan"),
        ({"add": float("inf")}, "a number to add.*add=inf"),
        ({}, "something to change.*scale=1, shift_bins=0, add=0"),
        ({"from_bp": -500, "to_bp": 500}, "something to change"),
    ],
)
def test_bad_perturbations(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Perturbation(mark="H3K4me3", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("from_bp", "to_bp", "expected"),
    [
        (None, None, (0, 20)),
        (-1000, 1000, (8, 12)),
        (-1001, 1001, (8, 12)),
        (-999, 999, (9, 11)),
        (0, None, (10, 20)),
        (None, -4500, (0, 1)),
        (-9999, 9999, (0, 20)),
    ],
)
def test_a_part_has_the_bins_that_lie_wholly_inside(
    from_bp: int | None, to_bp: int | None, expected: tuple[int, int]
) -> None:
    part = Perturbation(scale=0, from_bp=from_bp, to_bp=to_bp).bins(**REGION)
    assert part == slice(*expected)


@pytest.mark.parametrize(("from_bp", "to_bp"), [(100, 400), (1000, 0), (5000, None), (0, 499)])
def test_a_part_without_bins_is_refused(from_bp: int, to_bp: int | None) -> None:
    with pytest.raises(InputError, match=f"-5000 to 5000 bp.*from_bp={from_bp}, to_bp={to_bp}"):
        Perturbation(scale=0, from_bp=from_bp, to_bp=to_bp).bins(**REGION)


@pytest.mark.parametrize(
    ("perturbation", "expected"),
    [
        (Perturbation(scale=0), [1, 0, 0, 0, 0, 6]),
        (Perturbation(scale=2), [1, 4, 6, 8, 10, 6]),
        (Perturbation(add=1.5), [1, 3.5, 4.5, 5.5, 6.5, 6]),
        (Perturbation(add=-3.5), [1, 0, 0, 0.5, 1.5, 6]),
        (Perturbation(shift_bins=1), [1, 0, 2, 3, 4, 6]),
        (Perturbation(shift_bins=-3), [1, 5, 0, 0, 0, 6]),
        (Perturbation(shift_bins=4), [1, 0, 0, 0, 0, 6]),
        (Perturbation(shift_bins=-99), [1, 0, 0, 0, 0, 6]),
        (Perturbation(scale=2, shift_bins=1, add=1), [1, 1, 5, 7, 9, 6]),
    ],
)
def test_perturbed_signal_by_hand(perturbation: Perturbation, expected: list[float]) -> None:
    signal = np.arange(1, 7, dtype=np.float32)[np.newaxis, :, np.newaxis].repeat(2, axis=2)
    whole = signal.copy()
    perturbed = perturb_signal(signal, perturbation, mark=1, bins=slice(1, 5))
    assert perturbed.dtype == np.float32
    np.testing.assert_array_equal(perturbed[0, :, 1], np.float32(expected))
    np.testing.assert_array_equal(perturbed[0, :, 0], signal[0, :, 0])
    np.testing.assert_array_equal(signal, whole)


def test_downstream_is_to_the_left_of_genes_on_the_minus_strand(cnn_run_path: Path) -> None:
    study = open_study(cnn_run_path)
    genes = study.genes
    is_minus = genes.strand == "-"
    assert 0 < is_minus.sum() < len(genes)
    assert not genes.oriented.any()
    by_hand = genes.signal.copy()
    by_hand[~is_minus, 10:, 3] = 0
    by_hand[is_minus, :10, 3] = 0
    expected = study.model(by_hand)["probability"].numpy()
    table = perturb(cnn_run_path, Perturbation(mark="H3K4me3", scale=0, from_bp=0))
    found = table.set_index("gene_id")["probability_after"][genes.gene_id]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rows_are_genes_before_and_after(cnn_run_path: Path) -> None:
    study = open_study(cnn_run_path)
    table = perturb(cnn_run_path, Perturbation(mark="H3K4me3", scale=3))
    threshold = study.on_threshold
    assert threshold != 0.5
    assert set(table["on_threshold"]) == {threshold}
    assert set(table["on_rule"]) == {study.on_rule}
    assert sorted(table["gene_id"]) == sorted(study.genes.gene_id)
    before = study.model(study.genes.signal)["probability"].numpy()
    by_id = table.set_index("gene_id").loc[study.genes.gene_id]
    np.testing.assert_allclose(by_id["probability_before"], before, atol=1e-5)
    np.testing.assert_array_equal(by_id["label"], study.genes.label)
    after = expit(logit(table["probability_before"]) + table["logit_change"])
    np.testing.assert_allclose(table["probability_after"], after, atol=1e-6)
    was_high, is_high = (table[f"probability_{w}"] >= threshold for w in ("before", "after"))
    crosses = was_high != is_high
    np.testing.assert_array_equal(table["is_flipped"], crosses)
    assert crosses.any()
    assert (
        crosses != ((table["probability_before"] >= 0.5) != (table["probability_after"] >= 0.5))
    ).any()


def test_the_largest_change_either_way_comes_first(baseline_path: Path) -> None:
    change = perturb(baseline_path, Perturbation(mark="H3K4me3", shift_bins=4))["change"]
    assert change.min() < 0 < change.max()
    assert (np.diff(change.abs()) <= 0).all()


def test_one_gene_of_any_split(baseline_path: Path) -> None:
    gene = str(open_study(baseline_path, split="train").genes.gene_id[4])
    table = perturb(baseline_path, Perturbation(mark="H3K4me3", scale=0), gene=gene)
    assert table["gene_id"].tolist() == [gene]


def test_a_baseline_has_clipped_log_odds(baseline_path: Path) -> None:
    table = perturb(baseline_path, Perturbation(mark="H3K4me3", scale=1e9))
    before, after = (
        logit(np.clip(table[f"probability_{when}"], 0.001, 0.999)) for when in ("before", "after")
    )
    np.testing.assert_allclose(table["logit_change"], after - before)
    # What is clipped is the logit alone.
    assert table["probability_after"].max() > 0.999


def test_the_marks_of_a_linear_model_do_not_interact(baseline_path: Path) -> None:
    perturbation = Perturbation(scale=0.8)
    matrix = perturb_all_marks(baseline_path, perturbation)
    # Five marks and ten pairs, in all, high and low.
    assert len(matrix) == 3 * 15
    is_single = matrix["mark_a"] == matrix["mark_b"]
    assert matrix.loc[is_single, "interaction"].isna().all()
    changes = matrix.loc[~is_single, "logit_change"].abs()
    assert changes.max() > 0.1
    np.testing.assert_allclose(matrix.loc[~is_single, "interaction"], 0, atol=1e-4)


def test_a_matrix_agrees_with_its_genes_and_groups(baseline_path: Path) -> None:
    matrix = perturb_all_marks(baseline_path, Perturbation(scale=0), on_threshold=0.3)
    mark = Perturbation(mark="H3K36me3", scale=0)
    table = perturb(baseline_path, mark, on_threshold=0.3)
    was_high = table["probability_before"] >= 0.3
    for predicted, chosen in (
        ("all", was_high | True),
        ("high", was_high),
        ("low", ~was_high),
    ):
        found = _row(matrix, "H3K36me3", "H3K36me3", predicted)
        of_group = table[chosen]
        assert found["num_genes"] == len(of_group) > 0
        assert found["on_rule"] == "P >= 0.3, as given"
        assert found["logit_change"] == pytest.approx(of_group["logit_change"].mean(), abs=1e-6)
        assert found["probability_change"] == pytest.approx(of_group["change"].mean(), abs=1e-6)
        to_high = of_group["is_flipped"] & (of_group["probability_after"] >= 0.3)
        to_low = of_group["is_flipped"] & (of_group["probability_after"] < 0.3)
        assert found["share_to_high"] == pytest.approx(to_high.mean())
        assert found["share_to_low"] == pytest.approx(to_low.mean())


def test_a_pair_is_both_marks_at_once(cnn_run_path: Path) -> None:
    study = open_study(cnn_run_path)
    signals = [study.genes.signal.copy() for _ in range(4)]
    signals[1][..., 0] = signals[3][..., 0] = 0
    signals[2][..., 3] = signals[3][..., 3] = 0
    none, first, second, both = (
        logit(study.model(s)["probability"].numpy().astype(float)) for s in signals
    )
    matrix = perturb_all_marks(cnn_run_path, Perturbation(scale=0))
    found = _row(matrix, "H3K27me3", "H3K4me3", "all")
    assert found["logit_change"] == pytest.approx((both - none).mean(), abs=1e-4)
    interaction = (both - none) - (first - none) - (second - none)
    assert abs(interaction.mean()) > 1e-3
    assert found["interaction"] == pytest.approx(interaction.mean(), abs=1e-4)


def _row(matrix: pd.DataFrame, mark_a: str, mark_b: str, predicted: str) -> pd.Series:
    chosen = (matrix["mark_a"] == mark_a) & (matrix["mark_b"] == mark_b)
    (_, row), *others = matrix[chosen & (matrix["predicted"] == predicted)].iterrows()
    assert not others
    return row


def test_an_unknown_mark_lists_the_known_ones(baseline_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"trained on \(H3K27me3, .*H3K9me3\)\. Received: mark='H3K4'"
    ):
        perturb(baseline_path, Perturbation(mark="H3K4", scale=0))
    with pytest.raises(InputError, match="mark=None"):
        perturb(baseline_path, Perturbation(scale=0))
    with pytest.raises(InputError, match=r"Expected no mark.*mark='H3K4me3'"):
        perturb_all_marks(baseline_path, Perturbation(mark="H3K4me3", scale=0))


def test_genes_of_unknown_direction_are_counted_where_it_matters() -> None:
    table = pd.DataFrame(
        {
            "gene": ["a", "B", "C"],
            "unit": "TPM",
            "label": [0, 1, 1],
            "rpkm": [0.5, 1.0, 2.0],
            "probability_before": [0.4, 0.6, 0.7],
            "probability_after": [0.8, 0.4, 0.6],
            "change": [0.4, -0.2, -0.1],
            "logit_change": [2.0, -1.0, -0.5],
            "is_flipped": [True, True, False],
            "has_direction": [True, False, False],
            "on_threshold": 0.5,
            "on_rule": "P >= 0.5, as given",
        }
    )
    for directed in (
        Perturbation(mark="H3K4me3", shift_bins=1),
        Perturbation(mark="H3K4me3", scale=0, from_bp=0),
        Perturbation(mark="H3K4me3", scale=0, from_bp=-500, to_bp=1000),
    ):
        text = summary(table, directed)
        assert "2 genes of unknown strand" in text
    for undirected in (
        Perturbation(mark="H3K4me3", scale=0),
        Perturbation(mark="H3K4me3", scale=0, from_bp=-500, to_bp=500),
    ):
        text = summary(table, undirected)
        assert "unknown strand" not in text
    assert "1 of 1 predicted low become high, 1 of 2 predicted high become low" in text
    rule, up, down = text.split("\n\n")[1:]
    assert rule == "predicted high: P >= 0.5, as given"
    assert [line.split()[0] for line in up.splitlines()] == ["up", "a"]
    assert [line.split()[2] for line in up.splitlines()] == ["TPM", "0.5"]
    assert [line.split()[0] for line in down.splitlines()] == ["down", "B", "C"]


def test_command_for_a_mark(baseline_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(baseline_path), "--mark", "H3K27me3", "--scale", "0.5", "--shift", "-2"])
    printed = capsys.readouterr().out
    assert "predicted high: P >= 0." in printed
    *_, path = printed.split()
    assert Path(path) == baseline_path / "perturbation" / "H3K27me3_scale0.5_shift-2-test.csv"
    written = pd.read_csv(path)
    expected = perturb(baseline_path, Perturbation(mark="H3K27me3", scale=0.5, shift_bins=-2))
    np.testing.assert_allclose(written["change"], expected["change"], atol=1e-6)


def test_command_for_a_gene_names_the_file_after_it(
    baseline_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genes = open_study(baseline_path, split="train").genes
    symbol = str(genes.symbol[4])
    for name in (symbol.lower(), str(genes.gene_id[4])):
        main([str(baseline_path), "--mark", "H3K27me3", "--scale", "0", "--gene", name])
        *_, path = capsys.readouterr().out.split()
        assert Path(path).name == f"H3K27me3_scale0-{symbol}.csv"
        assert pd.read_csv(path)["gene"].tolist() == [symbol]


def test_command_for_all_marks(
    baseline_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "elsewhere"
    options = ["--scale", "0", "--from-bp", "-1000", "--to-bp", "2000", "--split", "valid"]
    main([str(baseline_path), "--on-threshold", "rate", *options, "--out", str(out)])
    stem = "all_marks_scale0_from-1000_to2000-valid"
    assert {p.name for p in out.iterdir()} == {f"{stem}.{s}" for s in ("csv", "png", "svg")}
    printed = capsys.readouterr().out
    assert printed.splitlines()[-3:] == [str(out / f"{stem}.{s}") for s in ("png", "svg", "csv")]
    assert "H3K27me3 + " in printed
    assert "0 genes of unknown strand" in printed
    assert ", positive rate of 50 validation genes" in printed
    assert not (baseline_path / "perturbation").exists()


def test_command_refuses_what_does_not_fit(baseline_path: Path) -> None:
    run = str(baseline_path)
    with pytest.raises(InputError, match="--mark or --all-marks"):
        main([run, "--mark", "H3K4me3", "--all-marks", "--scale", "0"])
    with pytest.raises(InputError, match="--mark with --gene"):
        main([run, "--gene", "PAX5", "--scale", "0"])
    with pytest.raises(InputError, match="whole bin of 500 bp"):
        main([run, "--mark", "H3K4me3", "--scale", "0", "--from-bp", "0", "--to-bp", "100"])
    assert not (baseline_path / "perturbation").exists()


def test_a_matrix_of_one_mark_has_no_pairs() -> None:
    matrix = pd.DataFrame(
        [
            {
                "mark_a": "H3K4me3",
                "mark_b": "H3K4me3",
                "predicted": predicted,
                "num_genes": 4,
                "num_without_direction": 1,
                "logit_change": -1.0,
                "probability_change": -0.25,
                "interaction": np.nan,
                "share_to_high": 0.0,
                "share_to_low": 0.5,
                "on_threshold": 0.25,
                "on_rule": "P >= 0.25, as given",
            }
            for predicted in ("all", "high", "low")
        ]
    )
    text = summary(matrix, Perturbation(shift_bins=1))
    rule, table, note = text.split("\n\n")
    assert rule == "predicted high: P >= 0.25, as given"
    assert len(table.splitlines()) == 3
    assert note.startswith("1 genes")
