"""Importance against a mark that was not trained on."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from keras_chrome.compare import CompareConfig, compare
from keras_chrome.compare.__main__ import main
from keras_chrome.compare.correlations import NAIVE_METHODS, Row, _ways, correlations
from keras_chrome.compare.output import markdown, summary, verdicts
from keras_chrome.compare.paper import paper_value
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS
from keras_chrome.runs import open_run

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


def correlate(
    importance: np.ndarray, profiles: dict[str, np.ndarray], *, is_sampled: bool = True
) -> pd.DataFrame:
    """By level, statistic, control and form: of one network, or of several."""
    rows = [
        (*row.of, row.r, row.low, row.high, row.num_genes)
        for row in correlations(
            importance if importance.ndim == 3 else importance[np.newaxis],
            profiles["coverage"],
            signal=profiles["signal"],
            distance_bp=profiles["distance_bp"],
            is_sampled=is_sampled,
        )
    ]
    names = ["level", "statistic", "control", "form"]
    return pd.DataFrame(rows, columns=[*names, "r", "low", "high", "num_genes"]).set_index(names)


def test_a_copy_of_the_signal_is_seen_for_what_it_is(profiles: dict[str, np.ndarray]) -> None:
    table = correlate(2 * profiles["signal"] + 1, profiles)
    for level in ("profile", "gene"):
        assert table.loc[(level, "pearson", "none", "none"), "r"] > 0.8
        assert np.isnan(table.loc[(level, "pearson", "signal", "linear"), "r"])
        assert np.isnan(table.loc[(level, "pearson", "signal", "linear_log"), "r"])
        assert np.isfinite(table.loc[(level, "pearson", "signal", "log"), "r"])
        assert np.isnan(table.loc[(level, "spearman", "both", "rank"), "r"])
        assert table.loc[(level, "pearson", "distance", "linear_log"), "r"] > 0.8
    assert table.loc[("gene", "pearson", "signal", "linear"), "num_genes"] == 0


def test_what_the_signal_does_not_say_remains(profiles: dict[str, np.ndarray]) -> None:
    table = correlate(profiles["hidden"], profiles)
    for level in ("profile", "gene"):
        assert table.loc[(level, "pearson", "signal", "linear_log"), "r"] > 0.99
        assert table.loc[(level, "pearson", "none", "none"), "r"] < 0.7


def test_the_form_of_a_control_decides_what_it_takes_out(profiles: dict[str, np.ndarray]) -> None:
    log = np.log1p(profiles["signal"])
    table = correlate(log + 1e-3 * profiles["hidden"], profiles)
    left = {
        form: table.loc[("gene", "pearson", "signal", form), "r"]
        for form in ("linear", "log", "linear_log")
    }
    # Beside the logarithm a straight line leaves its bend; the logarithm leaves what is hidden.
    assert left["linear"] < 0.5
    assert left["linear_log"] > 0.95
    assert left["log"] != pytest.approx(left["linear_log"], abs=1e-4)
    ranked = correlate(profiles["hidden"], profiles)
    assert ("gene", "spearman", "signal", "rank") in ranked.index
    assert ("gene", "spearman", "signal", "log") not in ranked.index


def test_values_and_intervals(profiles: dict[str, np.ndarray]) -> None:
    table = correlate(profiles["hidden"], profiles)
    importance, coverage = profiles["hidden"], profiles["coverage"]
    of_means = np.corrcoef(importance.mean(axis=0), coverage.mean(axis=0))[0, 1]
    of_genes = [np.corrcoef(x, y)[0, 1] for x, y in zip(importance, coverage, strict=True)]
    profile, gene = (table.loc[(level, "pearson", "none", "none")] for level in ("profile", "gene"))
    assert profile["r"] == pytest.approx(of_means)
    assert gene["r"] == pytest.approx(np.mean(of_genes))
    assert (table["low"] <= table["r"]).all()
    assert (table["r"] <= table["high"]).all()
    standard_error = np.std(of_genes) / np.sqrt(NUM_GENES)
    assert (gene["high"] - gene["low"]) / (2 * 1.96) == pytest.approx(standard_error, rel=0.2)


def test_several_networks_are_averaged_and_counted(profiles: dict[str, np.ndarray]) -> None:
    noise = np.random.default_rng(1).normal(size=(NUM_GENES, NUM_BINS))
    networks = np.stack([profiles["hidden"], -profiles["hidden"], noise])
    table = correlate(networks, profiles)
    alone = [correlate(network, profiles) for network in networks]
    key = ("profile", "pearson", "none", "none")
    of_networks = [one.loc[key, "r"] for one in alone]
    assert table.loc[key, "r"] == pytest.approx(np.mean(of_networks))
    # Trainings that disagree say less than any one of them seems to.
    width = table.loc[key, "high"] - table.loc[key, "low"]
    assert width > max(one.loc[key, "high"] - one.loc[key, "low"] for one in alone)
    ranges = correlate(networks, profiles, is_sampled=False)
    assert ranges.loc[key, "r"] == pytest.approx(np.mean(of_networks))
    assert ranges.loc[key, "low"] == pytest.approx(min(of_networks))
    assert ranges.loc[key, "high"] == pytest.approx(max(of_networks))
    of_genes = ranges.loc[("gene", "pearson", "none", "none")]
    assert of_genes["low"] < of_genes["r"] < of_genes["high"]


def test_a_run_is_compared_and_written(
    cnn_run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--min-genes", "1", "--num-untrained", "2"]
    main([str(cnn_run_path), "--methods", *QUICK, *options, "--out", str(out)])
    printed = capsys.readouterr().out
    assert "predicted ON" in printed
    assert "gradient_x_input" in printed
    assert max(map(len, printed.replace(str(tmp_path), "").splitlines())) <= 100
    endings = ("png", "svg", "csv", "md")
    assert printed.splitlines()[-4:] == [str(out / f"compare.{ending}") for ending in endings]
    table = pd.read_csv(out / "compare.csv")
    assert list(table.columns) == list(Row._fields)
    held = table[["mark", "validation_mark", "validation_dataset"]].drop_duplicates()
    assert held.to_numpy().tolist() == [["H3K4me3", "H3K27ac", "remc/small"]]
    networks = table.groupby("method", sort=False)["network"].unique().map(list).to_dict()
    assert networks == {m: ["none"] for m in NAIVE_METHODS} | {
        m: ["trained", "untrained"] for m in QUICK
    }
    # Pearson's has three forms of three controls, Spearman's one.
    assert len(table) == (2 + 2 * 2) * 2 * (1 + 3 * 3 + 1 + 3)
    assert table.groupby("network")["num_networks"].max().to_dict() == {
        "none": 0,
        "trained": 1,
        "untrained": 2,
    }
    trained, untrained = (
        table[(table["network"] == kind) & (table["method"] == "alpha")].reset_index(drop=True)
        for kind in ("trained", "untrained")
    )
    assert (untrained["low"] <= untrained["high"]).all()
    # None is as high where the greatest is lower, and all are where the least is not.
    assert (untrained["num_as_high"][untrained["high"] < trained["r"]] == 0).all()
    assert (untrained["num_as_high"][untrained["low"] >= trained["r"]] == 2).all()
    assert table["on_rule"].str.contains("validation genes").all()
    assert {p.name for p in out.iterdir()} == {f"compare.{s}" for s in ("csv", "md", "png", "svg")}
    # The genes' own bins instead: other profiles.
    config = CompareConfig(methods=QUICK[:1], direction="dataset", min_genes=1, num_untrained=0)
    as_they_are = compare([cnn_run_path], config)
    assert set(as_they_are["network"]) == {"none", "trained"}
    keys = ["method", "network", "level", "statistic", "control", "form"]
    merged = table.merge(as_they_are, on=keys)
    at_profiles = (merged["level"] == "profile") & (merged["control"] == "none")
    assert (merged["r_x"] - merged["r_y"])[at_profiles].abs().max() > 0.01


def test_genes_are_drawn_if_there_are_too_many_and_a_run_keeps_its_part(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--max-genes", "5", "--min-genes", "1", "--num-untrained", "1"]
    main([str(cnn_run_path), "--methods", "alpha", *few])
    assert "5 compared" in capsys.readouterr().out
    table = pd.read_csv(cnn_run_path / "compare" / "compare.csv")
    assert table["num_genes"].max() == 5


def test_trainings_are_counted_together(cnn_run_path: Path, tmp_path: Path) -> None:
    runs = [cnn_run_path, *another_training(cnn_run_path, tmp_path)]
    config = CompareConfig(methods=("alpha",), min_genes=1, num_untrained=1)
    table = compare(runs, config)
    assert set(table["run"]) == {str(cnn_run_path)}
    of_alpha = table[table["method"] == "alpha"].groupby("network")["num_networks"].max()
    assert of_alpha.to_dict() == {"trained": 2, "permuted_labels": 1, "untrained": 1}
    # The other training is the same network turned round: its mean is no correlation.
    key = (table["level"] == "gene") & (table["control"] == "none")
    rows = table[key & (table["statistic"] == "pearson")].set_index(["method", "network"])["r"]
    (alone,) = compare([cnn_run_path], config).pipe(
        lambda t: t[
            (t["method"] == "alpha")
            & (t["network"] == "trained")
            & (t["level"] == "gene")
            & (t["control"] == "none")
            & (t["statistic"] == "pearson")
        ]["r"]
    )
    assert rows["alpha", "permuted_labels"] == pytest.approx(alone, abs=1e-6)
    assert abs(rows["alpha", "trained"]) < abs(alone)


def another_training(run: Path, folder: Path) -> list[Path]:
    """Another seed, whose attention is turned round, and a copy made on shuffled labels."""
    paths = []
    for name, change in {"seed-1": {"seed": 1}, "permuted": {"permute_labels": True}}.items():
        path = folder / name
        shutil.copytree(run, path)
        config = json.loads((path / "config.json").read_text())
        config["options"] |= change
        (path / "config.json").write_text(json.dumps(config))
        paths.append(path)
    other = open_run(paths[0])
    model = other.load_model()
    attention = model.get_layer("bin_attention")
    attention.set_weights([-weights for weights in attention.get_weights()])
    other.save_model(model)
    return paths


def test_too_few_genes_predicted_on_are_refused(cnn_run_path: Path) -> None:
    config = CompareConfig(methods=("alpha",), on_threshold=0.999999)
    with pytest.raises(InputError, match=r"at least 50 genes predicted ON that have H3K27ac"):
        compare([cnn_run_path], config)


def test_bad_options_are_refused(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match="num_untrained=-1"):
        CompareConfig(num_untrained=-1)
    with pytest.raises(InputError, match="wrt='log'"):
        CompareConfig(wrt=("log",))
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


def rows(
    epigenome: str, variant: str, method: str, *, held: str = "remc/H3K27ac", **changes: Any
) -> pd.DataFrame:
    of_run = {"run": f"runs/{epigenome}", "epigenome": epigenome, "variant": variant}
    of_method = {"method": method, "network": "trained", "low": 0, "high": 1, "num_genes": 9}
    counts = {"num_networks": 1, "num_as_high": 0}
    held_against = {"mark": "H3K4me3", "validation_mark": "H3K27ac", "validation_dataset": held}
    about = {"direction": "transcription", "on_rule": "P >= 0.5, as given"}
    values = {"none": 0.5, "signal": np.nan, "distance": -0.25, "both": 0.125}
    table = [
        Row(
            **(of_run | of_method | counts | held_against | about | changes),
            level=level,
            statistic=statistic,
            control=control,
            form=form,
            r=values[control],
        )
        for level in ("profile", "gene")
        for statistic, (control, form) in _ways()
    ]
    return pd.DataFrame(table)


def test_the_papers_value_stands_beside() -> None:
    alpha = rows("E116_peaks", "attentive_chrome", "alpha")
    assert paper_value(alpha.iloc[0]) == 0.85
    assert paper_value(rows("E116", "lstm_alpha", "alpha").iloc[0]) == 0.88
    assert paper_value(rows("E123", "deep_chrome", "saliency").iloc[0]) == 0.22
    # Its saliency and class optimization are those of the convolutional network.
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
    numbers = ["0.50", "[0.00,", "1.00]", "0.12"]
    assert of_means[3].split() == ["alpha", *numbers, "0.85"]
    of_genes = text[text.index("Each gene correlated") :].splitlines()
    assert of_genes[3].split() == ["alpha", *numbers]
    assert r"r \| signal" in markdown(rows("E116", "lstm", "saliency"))


def test_text_says_what_is_held_against_what_and_fits_a_terminal() -> None:
    methods = [m for m in METHODS if METHODS[m].resolves_bins]
    kinds = ({}, {"network": "untrained", "num_networks": 10}, {"network": "permuted_labels"})
    table = pd.concat(
        rows("E116", "attentive_chrome", m, low=-0.25, **kind) for m in methods for kind in kinds
    )
    table["run"] = "runs/of a long name, " * 6
    text = summary(table)
    assert max(map(len, text.splitlines())) <= 100
    words = " ".join(text.split())
    assert "importance of H3K4me3 against H3K27ac of remc/H3K27ac, 9 genes predicted ON" in words
    assert "10 untrained, 1 on shuffled labels" in words
    lines = [line.split() for line in text.splitlines() if line.startswith("  untrained")]
    assert ["untrained", "0.50", "[-0.25,", "1.00]", "0.12"] in lines
    assert "| alpha, untrained |" in markdown(table)


def test_what_rounds_to_nothing_has_no_minus() -> None:
    table = rows("E116", "attentive_chrome", "alpha").assign(r=-0.001)
    assert "-0.00" not in summary(table)
    assert "0.00 [0.00, 1.00]" in summary(table)


def level_of(*tables: pd.DataFrame) -> pd.DataFrame:
    table = pd.concat(tables)
    return table[(table["level"] == "profile") & (table["statistic"] == "pearson")]


def test_a_method_is_beyond_what_knows_nothing_only_above_all_of_it() -> None:
    def of(method: str, network: str, low: float, high: float) -> pd.DataFrame:
        return rows("E116", "lstm", method, network=network, low=low, high=high)

    signal = of("signal", "none", 0.4, 0.6)  # Its r is 0.5.
    (said, _) = verdicts(level_of(signal, of("alpha", "trained", 0.51, 0.9)))
    assert said == "Beyond all that knows nothing: alpha."
    of_nothing = of("alpha", "untrained", -0.9, 0.52)
    (said, _) = verdicts(level_of(signal, of("alpha", "trained", 0.51, 0.9), of_nothing))
    assert said == "Beyond all that knows nothing: no method."
    other = of("saliency", "trained", 0.6, 0.9)
    (said, held) = verdicts(level_of(signal, of("alpha", "trained", 0.49, 0.9), other))
    assert said == "Beyond all that knows nothing: saliency; not alpha."
    assert "with the mark's own signal held fixed" in held
