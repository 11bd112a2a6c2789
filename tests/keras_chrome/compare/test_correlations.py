"""Importance against a mark that was not trained on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from keras_chrome.compare import CompareConfig, compare
from keras_chrome.compare.__main__ import main
from keras_chrome.compare.correlations import NAIVE_METHODS, Row, correlations
from keras_chrome.compare.output import markdown, summary
from keras_chrome.compare.paper import paper_value
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS

QUICK = ("alpha", "gradient_x_input")
NUM_GENES, NUM_BINS = 30, 20


@pytest.fixture
def profiles() -> dict[str, np.ndarray]:
    """Signal, and a coverage that follows it and something hidden besides."""
    rng = np.random.default_rng(0)
    signal = rng.poisson(5, (NUM_GENES, NUM_BINS)).astype(float)
    hidden = rng.normal(size=(NUM_GENES, NUM_BINS))
    distance = abs(np.arange(NUM_BINS) - 9.5) * 100.0
    return {
        "signal": signal,
        "hidden": hidden,
        "coverage": signal + hidden,
        "distance_bp": np.broadcast_to(distance, signal.shape),
    }


def correlate(importance: np.ndarray, profiles: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = correlations(
        importance,
        profiles["coverage"],
        signal=profiles["signal"],
        distance_bp=profiles["distance_bp"],
    )
    table = pd.DataFrame(rows, columns=Row._fields[4:11])
    return table.set_index(["level", "statistic", "control"])


def test_a_copy_of_the_signal_is_seen_for_what_it_is(profiles: dict[str, np.ndarray]) -> None:
    table = correlate(2 * profiles["signal"] + 1, profiles)
    for level in ("profile", "gene"):
        assert table.loc[(level, "pearson", "none"), "r"] > 0.8
        assert np.isnan(table.loc[(level, "pearson", "signal"), "r"])
        assert np.isnan(table.loc[(level, "spearman", "both"), "r"])
        assert table.loc[(level, "pearson", "distance"), "r"] > 0.8
    assert table.loc[("gene", "pearson", "signal"), "num_genes"] == 0


def test_what_the_signal_does_not_say_remains(profiles: dict[str, np.ndarray]) -> None:
    table = correlate(profiles["hidden"], profiles)
    for level in ("profile", "gene"):
        assert table.loc[(level, "pearson", "signal"), "r"] > 0.99
        assert table.loc[(level, "pearson", "none"), "r"] < 0.7


def test_values_and_intervals(profiles: dict[str, np.ndarray]) -> None:
    table = correlate(profiles["hidden"], profiles)
    importance, coverage = profiles["hidden"], profiles["coverage"]
    of_means = np.corrcoef(importance.mean(axis=0), coverage.mean(axis=0))[0, 1]
    of_genes = [np.corrcoef(x, y)[0, 1] for x, y in zip(importance, coverage, strict=True)]
    profile, gene = (table.loc[(level, "pearson", "none")] for level in ("profile", "gene"))
    assert profile["r"] == pytest.approx(of_means)
    assert gene["r"] == pytest.approx(np.mean(of_genes))
    assert (table["low"] <= table["r"]).all()
    assert (table["r"] <= table["high"]).all()
    standard_error = np.std(of_genes) / np.sqrt(NUM_GENES)
    assert (gene["high"] - gene["low"]) / (2 * 1.96) == pytest.approx(standard_error, rel=0.2)


def test_a_run_is_compared_and_written(
    cnn_run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main([str(cnn_run_path), "--methods", *QUICK, "--out", str(out)])
    printed = capsys.readouterr().out
    assert "predicted ON" in printed
    assert "gradient_x_input" in printed
    assert max(map(len, printed.replace(str(tmp_path), "").splitlines())) <= 100
    table = pd.read_csv(out / "compare.csv")
    assert list(table.columns) == list(Row._fields)
    held = table[["mark", "validation_mark", "validation_dataset"]].drop_duplicates()
    assert held.to_numpy().tolist() == [["H3K4me3", "H3K27ac", "remc/small"]]
    assert set(table["method"]) == {*NAIVE_METHODS, *QUICK}
    assert len(table) == 4 * 2 * 2 * 4
    assert {p.name for p in out.iterdir()} == {f"compare.{s}" for s in ("csv", "md", "png", "svg")}
    # The genes' own bins instead: other profiles.
    as_they_are = compare([cnn_run_path], CompareConfig(methods=QUICK[:1], direction="dataset"))
    merged = table.merge(as_they_are, on=["method", "level", "statistic", "control"])
    at_profiles = (merged["level"] == "profile") & (merged["control"] == "none")
    assert (merged["r_x"] - merged["r_y"])[at_profiles].abs().max() > 0.01


def test_genes_are_drawn_if_there_are_too_many_and_a_run_keeps_its_part(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(cnn_run_path), "--methods", "alpha", "--max-genes", "5"])
    assert "5 compared" in capsys.readouterr().out
    table = pd.read_csv(cnn_run_path / "compare" / "compare.csv")
    assert table["num_genes"].max() == 5


def test_no_gene_predicted_on_is_refused(cnn_run_path: Path) -> None:
    from keras_chrome.runs import open_run

    run = open_run(cnn_run_path)
    model = run.load_model()
    kernel, bias = model.get_layer("logit").get_weights()
    model.get_layer("logit").set_weights([kernel, bias - 100])
    run.save_model(model)
    with pytest.raises(InputError, match="0 predicted ON, 50 held, none both"):
        compare([cnn_run_path], CompareConfig(methods=("alpha",)))


def test_bad_options_are_refused(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match=r"mark='H3K79me2'"):
        compare([cnn_run_path], CompareConfig(mark="H3K79me2", methods=("alpha",)))
    with pytest.raises(InputError, match=r"tell bins apart. Received: methods=mark_occlusion"):
        CompareConfig(methods=("mark_occlusion",))
    with pytest.raises(InputError, match=r"methods=.*grad_cam"):
        CompareConfig(methods=("grad_cam",))
    with pytest.raises(InputError, match="direction='up'"):
        CompareConfig(direction="up")
    with pytest.raises(InputError, match="max_genes=0"):
        CompareConfig(max_genes=0)


def rows(epigenome: str, variant: str, method: str, *, held: str = "remc/H3K27ac") -> pd.DataFrame:
    of_run = f"runs/{epigenome}", epigenome, variant
    return pd.DataFrame(
        [
            Row(*of_run, method, level, statistic, c, r, 0, 1, 9, "H3K4me3", "H3K27ac", held)
            for level in ("profile", "gene")
            for statistic in ("pearson", "spearman")
            for c, r in (("none", 0.5), ("signal", np.nan), ("distance", -0.25), ("both", 0.125))
        ]
    )


def test_the_papers_value_stands_beside() -> None:
    alpha = rows("E116_peaks", "attentive_chrome", "alpha")
    assert paper_value(alpha.iloc[0]) == 0.85
    assert paper_value(rows("E116", "lstm_alpha", "alpha").iloc[0]) == 0.88
    # Its saliency and class optimization are those of the convolutional network.
    assert paper_value(rows("E123", "deep_chrome", "saliency").iloc[0]) == 0.22
    assert paper_value(rows("E003", "deep_chrome", "class_optimization").iloc[0]) == 0.06
    for method in ("saliency", "class_optimization"):
        assert np.isnan(paper_value(rows("E116", "attentive_chrome", method).iloc[0]))
    assert np.isnan(paper_value(rows("E116", "deep_chrome", "saliency_transformed").iloc[0]))
    assert np.isnan(paper_value(rows("E012", "attentive_chrome", "alpha").iloc[0]))
    assert np.isnan(paper_value(rows("E116", "cnn_attn", "alpha").iloc[0]))


def test_text_leaves_the_unknown_blank() -> None:
    text = summary(rows("E116", "attentive_chrome", "alpha"))
    of_means = text[text.index("Means over genes") :].splitlines()
    assert of_means[2].split("  ")[0] == "method"
    numbers = ["0.50", "[0.00,", "1.00]", "-0.25", "0.12"]
    assert of_means[3].split() == ["alpha", *numbers, "0.85"]
    of_genes = text[text.index("Each gene correlated") :].splitlines()
    assert of_genes[3].split() == ["alpha", *numbers]
    assert r"r \| signal" in markdown(rows("E116", "lstm", "saliency"))


def test_text_says_what_is_held_against_what_and_fits_a_terminal() -> None:
    table = pd.concat(rows("E116", "attentive_chrome", m) for m in METHODS)
    table["run"] = "runs/of a long name, " * 6
    text = summary(table)
    assert max(map(len, text.splitlines())) <= 100
    words = " ".join(text.split())
    assert "importance of H3K4me3 against H3K27ac of remc/H3K27ac, 9 genes predicted ON" in words


def test_what_rounds_to_nothing_has_no_minus() -> None:
    table = rows("E116", "attentive_chrome", "alpha").assign(r=-0.001)
    assert "-0.00" not in summary(table)
    assert "0.00 [0.00, 1.00]" in summary(table)
