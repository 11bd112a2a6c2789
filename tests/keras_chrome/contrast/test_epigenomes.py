"""Two epigenomes in contrast: by hand, and on a second one of the same genes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from keras_chrome.contrast import Contrast, contrast
from keras_chrome.contrast.__main__ import main
from keras_chrome.contrast.genes import (
    PREDICTED,
    agreement,
    alpha_distance,
    alpha_shift_bp,
    attribution,
    genes_in_both,
    mark_changes,
    mark_columns,
    match_genes,
    turn_as,
)
from keras_chrome.contrast.output import summary
from keras_chrome.data import Genes
from keras_chrome.errors import InputError
from keras_chrome.models.prediction import Prediction
from keras_chrome.runs import open_study


@pytest.fixture(scope="module")
def other_data_dir(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`remc/small` in another epigenome, its genes in another order.

    In a third of the genes the marks are moved on to the next mark's place, and the label is
    turned around.
    """
    import tensorflow as tf

    root = Path(shutil.copytree(data_dir, tmp_path_factory.mktemp("other") / "data"))
    for path in root.glob("remc/small/*/*.tfrecord*"):
        records = [r.numpy() for r in tf.data.TFRecordDataset(str(path))]
        with tf.io.TFRecordWriter(str(path)) as writer:
            for i, record in enumerate(reversed(records)):
                example = tf.train.Example.FromString(record)
                features = example.features.feature
                if i % 3 == 0:
                    signal = np.reshape(features["signal"].float_list.value, (20, 6))
                    features["signal"].float_list.value[:] = np.roll(signal, 1, axis=1).ravel()
                    features["label"].int64_list.value[:] = [
                        1 - features["label"].int64_list.value[0]
                    ]
                    features["rpkm"].float_list.value[:] = [
                        8 * features["rpkm"].float_list.value[0]
                    ]
                writer.write(example.SerializeToString())
    return root


@pytest.fixture(name="baseline")
def _baseline(_fitted_baseline: Path) -> Path:
    return _fitted_baseline


@pytest.fixture
def runs(baseline: Path, other_data_dir: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Runs on the two epigenomes with the same baseline, free to be changed."""
    paths = [Path(shutil.copytree(baseline, tmp_path / name)) for name in ("run_a", "run_b")]
    _edit(paths[1], "options", data_dir=str(other_data_dir))
    return paths[0], paths[1]


@pytest.fixture(scope="module")
def networks(
    _trained_cnn: Path, other_data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Runs on the two epigenomes with the same network."""
    path = Path(shutil.copytree(_trained_cnn, tmp_path_factory.mktemp("runs") / "other"))
    _edit(path, "options", data_dir=str(other_data_dir))
    return _trained_cnn, path


@pytest.fixture(scope="module")
def found(networks: tuple[Path, Path]) -> Contrast:
    return contrast(*networks)


def _edit(run: Path, part: str, **values: Any) -> None:
    config = json.loads((run / "config.json").read_text())
    config[part].update(values)
    (run / "config.json").write_text(json.dumps(config))


def genes_of(
    gene_id: list[str], tss: list[int], strand: str = "+", oriented: bool = False
) -> Genes:
    num_genes = len(gene_id)
    return Genes(
        split="test",
        signal=np.zeros((num_genes, 4, 2), np.float32),
        label=np.zeros(num_genes, np.int8),
        gene_id=np.array(gene_id),
        symbol=np.array(gene_id),
        transcript_id=np.full(num_genes, ""),
        chrom=np.full(num_genes, "chr1"),
        tss=np.array(tss),
        strand=np.full(num_genes, strand),
        rpkm=np.ones(num_genes, np.float32),
        oriented=np.full(num_genes, oriented),
        epigenome=np.full(num_genes, "E"),
        num_unlabelled=0,
    )


def test_genes_match_by_id_and_tss_and_those_that_stand_twice_in_turn() -> None:
    a = genes_of(["x", "y", "x", "z", "w", "x"], [1, 2, 1, 3, 4, 9])
    b = genes_of(["z", "x", "w", "x", "x", "v"], [3, 1, 5, 1, 1, 6])
    at_a, at_b = match_genes(a, b)
    assert at_a.tolist() == [0, 2, 3]
    assert at_b.tolist() == [1, 3, 0]


def test_a_strand_that_one_epigenome_knows_holds_for_both() -> None:
    a = genes_of(["x", "y", "z"], [1, 2, 3])
    b = genes_of(["z", "y", "x"], [3, 2, 1], oriented=True)
    a.strand[:], b.strand[:] = ["", "-", ""], ["+", "", ""]
    of_a, of_b = genes_in_both(a, b)
    # Which way x runs in A nobody knows, so that it cannot be laid on x in B.
    assert of_a.gene_id.tolist() == of_b.gene_id.tolist() == ["y", "z"]
    assert of_a.strand.tolist() == of_b.strand.tolist() == ["-", "+"]
    assert of_b.oriented.all()
    assert not of_a.oriented.any()
    a.oriented[:] = True
    assert len(genes_in_both(a, b)[0]) == 3


def test_alpha_moves_in_no_direction_where_the_strand_is_unknown() -> None:
    genes = genes_of(["x", "y", "z"], [1, 2, 3])
    genes.strand[:] = ["+", "-", ""]
    alpha_a, alpha_b = np.zeros((2, 3, 2, 4), np.float32)
    alpha_a[..., 0] = alpha_b[..., 3] = 1
    predictions = [Prediction(np.zeros(3), alpha) for alpha in (alpha_a, alpha_b)]
    columns = mark_columns(genes, genes, *predictions, marks=["m", "n"], bin_bp=100)
    assert columns["alpha_distance_n"].tolist() == [1, 1, 1]
    np.testing.assert_array_equal(columns["alpha_shift_bp_n"], [300, -300, np.nan])
    assert not [name for name in columns if name.startswith("beta")]
    genes.oriented[:] = True
    columns = mark_columns(genes, genes, *predictions, marks=["m", "n"], bin_bp=100)
    assert columns["alpha_shift_bp_n"].tolist() == [300, 300, 300]


def test_attribution_by_hand() -> None:
    columns = attribution(*(np.float32([p]) for p in (0.25, 0.875, 0.75, 0.5)))
    found = {name: values[0] for name, values in columns.items()}
    assert found == {
        "probability_a": 0.25,
        "probability_b": 0.875,
        "difference": 0.625,
        "probability_a_on_b": 0.75,
        "probability_b_on_a": 0.5,
        "signal_effect_a": 0.5,
        "signal_effect_b": 0.375,
        "signal_effect": 0.4375,
        "model_effect": 0.1875,
    }


def test_alpha_distance_and_shift_by_hand() -> None:
    alpha_a = np.array([[[1, 0, 0, 0], [0.5, 0.5, 0, 0]]])
    alpha_b = np.array([[[0, 0, 0, 1], [0.25, 0.5, 0.25, 0]]])
    assert alpha_distance(alpha_a, alpha_b).tolist() == [[1.0, 0.25]]
    assert alpha_shift_bp(alpha_a, alpha_b, 100).tolist() == [[300.0, 50.0]]
    assert alpha_shift_bp(alpha_b, alpha_a, 100).tolist() == [[-300.0, -50.0]]


def table_of(measured: list[str], score: list[float], fold_change: list[float]) -> pd.DataFrame:
    scores = dict.fromkeys(PREDICTED, score) | {"signal_effect_a": [-s for s in score]}
    return pd.DataFrame({"measured": measured, "log2_fold_change": fold_change, **scores})


def test_agreement_by_hand() -> None:
    measured = ["gained", "lost", "gained", "lost", "same", "same"]
    table = table_of(measured, [4, 1, 2, 3, 9, -9], [1, 2, 3, 4, np.nan, np.nan])
    found = agreement(table).set_index("predicted_by")
    assert found.index.tolist() == list(PREDICTED)
    # Of the four pairs of a gained and a lost gene, 2 against 3 is in the wrong order.
    assert found.loc["difference", "auroc"] == 0.75
    assert found.loc["signal_effect_a", "auroc"] == 0.25
    expected = spearmanr([4, 1, 2, 3], [1, 2, 3, 4]).statistic
    assert found.loc["difference", "spearman"] == pytest.approx(expected)
    assert found["num_switching"].unique() == found["num_with_rpkm"].unique() == [4]
    for name in ("auroc", "spearman"):
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()


def test_no_agreement_where_none_is_defined() -> None:
    table = table_of(["gained", "gained", "same"], [1, 2, 3], [np.nan] * 3)
    found = agreement(table)
    assert found.filter(like="auroc").isna().all(axis=None)
    assert found.filter(like="spearman").isna().all(axis=None)


def test_mark_changes_by_hand() -> None:
    rng = np.random.default_rng(0)
    same = rng.normal(0.3, 1, size=400)
    table = pd.DataFrame(
        {
            "measured": ["lost", "lost", *["same"] * 400],
            "signal_change_H3K4me3": [1.0, 3.0, *same],
            "beta_change_H3K4me3": [0.5, -0.25, *same],
        }
    )
    found = mark_changes(table, ["H3K4me3"]).set_index(["quantity", "genes"])
    assert set(found.index.get_level_values(0)) == {"signal_change", "beta_change", "beta_size"}
    assert found.loc[("signal_change", "lost"), "mean"] == 2
    assert found.loc[("signal_change", "lost"), ["low", "high"]].tolist() == [1, 3]
    assert found.loc[("beta_change", "switching"), "mean"] == 0.125
    assert found.loc[("beta_size", "lost"), "mean"] == 0.375
    assert found.loc[("signal_change", "gained"), "num_genes"] == 0
    assert np.isnan(found.loc[("signal_change", "gained"), "mean"])
    # The interval of a mean is known without resampling, too.
    of_same = found.loc[("signal_change", "same")]
    half_width = 1.96 * same.std() / 20
    assert of_same["mean"] == pytest.approx(same.mean())
    assert of_same["low"] == pytest.approx(same.mean() - half_width, abs=0.02)
    assert of_same["high"] == pytest.approx(same.mean() + half_width, abs=0.02)


def test_the_same_model_on_two_epigenomes(networks: tuple[Path, Path], found: Contrast) -> None:
    genes = found.genes
    assert (len(genes), found.num_only_a, found.num_only_b, found.num_unturnable) == (50, 0, 0, 0)
    assert (np.diff(genes["difference"].abs()) <= 0).all()
    # Nothing can be the models', which are one.
    np.testing.assert_allclose(genes["model_effect"], 0, atol=1e-6)
    np.testing.assert_allclose(genes["signal_effect_a"], genes["difference"], atol=1e-6)
    assert genes["difference"].abs().max() > 0.05

    a, b = (open_study(run).genes for run in networks)
    label = [dict(zip(g.gene_id, g.label, strict=True)) for g in (a, b)]
    num_gained = sum(label[0][g] < label[1][g] for g in a.gene_id)
    assert (genes["measured"] == "gained").sum() == num_gained > 0
    assert (genes["measured"] != "same").sum() == 17
    switching = genes[genes["measured"] != "same"]
    of_difference = found.agreement.set_index("predicted_by").loc["difference"]
    assert of_difference["auroc"] == roc_auc_score(
        switching["measured"] == "gained", switching["difference"]
    )
    fold_change = np.log2((genes["rpkm_b"] + 1) / (genes["rpkm_a"] + 1))
    np.testing.assert_allclose(genes["log2_fold_change"], fold_change)
    assert fold_change.max() > 1


def test_each_model_has_a_threshold_of_its_own(
    networks: tuple[Path, Path], found: Contrast
) -> None:
    thresholds = [open_study(run).on_threshold for run in networks]
    assert thresholds[0] != thresholds[1]
    genes = found.genes
    assert set(genes["on_threshold_a"]) == {thresholds[0]}
    assert set(genes["on_threshold_b"]) == {thresholds[1]}
    is_on_a, is_on_b = (
        genes[f"probability_{e}"] >= t for e, t in zip("ab", thresholds, strict=True)
    )
    assert (genes["predicted"] == "gained").tolist() == (is_on_b & ~is_on_a).tolist()
    assert (genes["predicted"] == "lost").tolist() == (is_on_a & ~is_on_b).tolist()
    assert set(genes["predicted"]) == {"gained", "lost", "same"}
    num = genes["predicted"].value_counts()
    num_right = (genes["predicted"] == genes["measured"])[genes["measured"] != "same"].sum()
    words = " ".join(summary(found).split())
    assert (
        f"Predicted, {num['gained']} go ON and {num['lost']} OFF; of the 17 that gain or lose "
        f"expression, {num_right} do so as predicted. ON in A: P >= "
        f"{thresholds[0]:.3g}, best balanced accuracy over 50 validation genes; B: P >= "
        f"{thresholds[1]:.3g}, best"
    ) in words


def test_changes_on_the_marks_are_those_of_the_two_signals(
    networks: tuple[Path, Path], found: Contrast
) -> None:
    gene = found.genes[found.genes["strand"] == "-"].iloc[0]
    signals, alphas, betas = [], [], []
    for run in networks:
        study = open_study(run)
        signal = study.genes.signal[study.genes.gene_id == gene["gene_id"]]
        answer = study.model(signal)
        signals.append(np.log1p(signal[0]).mean(axis=0))
        alphas.append(answer["alpha"].numpy()[0])
        betas.append(answer["beta"].numpy()[0])

    def of_marks(quantity: str) -> np.ndarray:
        return gene[[f"{quantity}_{mark}" for mark in found.marks]].to_numpy(float)

    np.testing.assert_allclose(of_marks("signal_change"), signals[1] - signals[0], atol=1e-5)
    np.testing.assert_allclose(of_marks("beta_change"), betas[1] - betas[0], atol=1e-5)
    distance = abs(alphas[1] - alphas[0]).sum(axis=1) / 2
    np.testing.assert_allclose(of_marks("alpha_distance"), distance, atol=1e-5)
    # Bins run along the genome, and so against the transcription of this gene.
    shift = -(alphas[1] - alphas[0]) @ (500 * np.arange(20))
    assert abs(shift).max() > 1
    np.testing.assert_allclose(of_marks("alpha_shift_bp"), shift, atol=0.1)


def test_two_models_of_the_same_epigenome_without_attention(
    cnn_run_path: Path, baseline: Path
) -> None:
    found = contrast(cnn_run_path, baseline)
    genes = found.genes
    assert genes["difference"].abs().max() > 0.05
    np.testing.assert_allclose(genes["signal_effect"], 0, atol=1e-6)
    np.testing.assert_allclose(genes["model_effect"], genes["difference"], atol=1e-6)
    assert not [c for c in genes if c.startswith(("alpha", "beta"))]
    assert set(found.mark_changes["quantity"]) == {"signal_change"}
    # No gene switches, and no AUROC is claimed.
    assert found.agreement["auroc"].isna().all()
    assert "0 genes gain expression, 0 lose it, 50 do neither" in summary(found)


def test_signal_is_turned_as_the_other_model_was_trained(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """An epigenome whose bins run along transcription, with otherwise the same signal."""
    genes, turned = (open_study(runs[0]).genes for _ in range(2))
    is_minus = genes.strand == "-"
    turned.signal[is_minus] = genes.signal[is_minus, ::-1]
    turned.oriented[:] = True
    np.testing.assert_array_equal(turn_as(turned.signal, turned, genes), genes.signal)
    np.testing.assert_array_equal(turn_as(genes.signal, genes, turned), turned.signal)
    assert (turned.signal != genes.signal).any()


def test_genes_of_one_split_and_of_one_epigenome_are_counted(runs: tuple[Path, Path]) -> None:
    run_path, other_run_path = runs
    # A run with splits of its own: half of the other's test genes are its.
    ids = open_study(run_path).genes.gene_id
    splits = pd.read_csv(run_path / "splits.csv", dtype=str)
    splits.loc[splits["gene_id"].isin(ids[:20]), "split"] = "train"
    splits.to_csv(run_path / "splits.csv", index=False)
    _edit(run_path, "options", split="random")
    found = contrast(run_path, other_run_path)
    assert (len(found.genes), found.num_only_a, found.num_only_b) == (30, 0, 20)
    words = " ".join(summary(found).split())
    assert "30 genes in both; left out: 0 only in A, 20 only in B" in words


def test_runs_that_do_not_belong_together_are_refused(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    run_path, other_run_path = runs
    with pytest.raises(InputError, match=r"above 0\. .*pseudocount=0"):
        contrast(run_path, other_run_path, pseudocount=0)
    other_marks = Path(shutil.copytree(other_run_path, tmp_path / "marks"))
    marks = ["H3K27ac", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"]
    _edit(other_marks, "model", marks=marks)
    with pytest.raises(
        InputError, match=r"the same marks.*run_a with H3K27me3.*marks with H3K27ac"
    ):
        contrast(run_path, other_marks)
    ids = open_study(run_path).genes.gene_id
    splits = pd.read_csv(run_path / "splits.csv", dtype=str)
    moved = splits["split"].mask(splits["gene_id"].isin(ids), "train")
    moved = moved.mask(splits["split"] == "train", "test")
    splits.assign(split=moved).to_csv(run_path / "splits.csv", index=False)
    _edit(run_path, "options", split="random")
    with pytest.raises(InputError, match=r"split 'test' of both runs.*none in both; --split all"):
        contrast(run_path, other_run_path)
    _edit(other_run_path, "options", labels="published")
    with pytest.raises(InputError, match=r"label rule.*median.*published.*--labels"):
        contrast(run_path, other_run_path)


def test_expression_is_of_one_unit(runs: tuple[Path, Path], alter: Callable[..., Path]) -> None:
    other = alter(lambda split, examples: None, unit="TPM")
    _edit(runs[1], "options", dataset="remc/altered", data_dir=str(other))
    with pytest.raises(InputError, match=r"remc/small in RPKM, remc/altered in TPM\. Build one"):
        contrast(*runs)
    _edit(runs[0], "options", dataset="remc/altered", data_dir=str(other))
    assert "log2 fold change of TPM + 1" in summary(contrast(*runs))


def test_other_bins_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    from tfds_remc import RemcBuilder, RemcConfig

    config = RemcConfig(name="fine", source="simulated", num_genes=30, bin_bp=250)
    RemcBuilder(config=config, data_dir=tmp_path / "data").download_and_prepare()
    fine = Path(shutil.copytree(runs[0], tmp_path / "fine"))
    _edit(fine, "options", dataset="remc/fine", data_dir=str(tmp_path / "data"))
    _edit(fine, "dataset", num_bins=40, bin_bp=250)
    with pytest.raises(InputError, match=r"same bins.*20 of 500 bp.*40 of 250 bp"):
        contrast(runs[0], fine)


def test_command_writes_tables_and_figure(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*map(str, runs), "--on-threshold", "0.35"])
    printed = capsys.readouterr().out
    directory = runs[0] / "contrast-run_b-test"
    written = [f"contrast.{ending}" for ending in ("png", "svg")]
    written += [f"{table}.csv" for table in ("genes", "agreement", "mark_changes")]
    assert printed.splitlines()[-5:] == [str(directory / name) for name in written]
    assert "50 genes in both" in printed
    assert "ON in A: P >= 0.35, as given; B: P >= 0.35, as given" in " ".join(printed.split())
    tables = printed.replace(str(runs[0]), "RUN").splitlines()
    assert max(map(len, tables)) <= 100
    # What has a sign cancels out over genes that gain and that lose.
    headings = {line.split()[1]: line.split()[2:] for line in tables if line.startswith("mean ")}
    assert headings["signal_change"] == ["gained", "lost", "same"]
    names = {"genes.csv", "agreement.csv", "mark_changes.csv", "contrast.png", "contrast.svg"}
    assert {path.name for path in directory.iterdir()} == names
    assert len(pd.read_csv(directory / "genes.csv")) == 50
