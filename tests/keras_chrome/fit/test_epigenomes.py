"""One model of several epigenomes, and of one that it has not seen."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from keras_chrome.attend import attend
from keras_chrome.contrast import contrast
from keras_chrome.data import load_genes, open_dataset
from keras_chrome.data.epigenomes import check_held_out, open_datasets
from keras_chrome.data.expression_elsewhere import mean_elsewhere
from keras_chrome.data.targets import soft_targets
from keras_chrome.ensemble import ensemble
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate, summary
from keras_chrome.faithfulness import FaithfulnessConfig, faithfulness
from keras_chrome.fit import FitConfig, fit
from keras_chrome.fit.job import begin, load, prepare
from keras_chrome.fit.loop import centred_one_hot
from keras_chrome.fit.trainer import ShardedTrainer
from keras_chrome.models import build_model, logit_model
from keras_chrome.models.task import CLASSIFICATION, TASKS
from keras_chrome.runs import open_run
from keras_chrome.vocabulary import CORE_MARKS

BOTH = "remc/A+B"
MARKS = (*CORE_MARKS, "H3K27ac")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four epigenomes of the same 150 genes; B lacks H3K27ac, and D tests what others train on."""
    from tfds_remc import RemcBuilder, RemcConfig

    path, elsewhere = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("elsewhere")
    for seed, name in enumerate("ABCD"):
        config = RemcConfig(
            name=name,
            source="simulated",
            marks=MARKS,
            num_genes=150,
            bin_bp=500,
            seed=seed,
        )
        folder = elsewhere if name in "BD" else path
        RemcBuilder(config=config, data_dir=folder).download_and_prepare()
    rewrite(elsewhere / "remc" / "B" / "1.0.0", path, num_marks=5)
    rewrite(elsewhere / "remc" / "D" / "1.0.0", path, renamed={"train": "test", "test": "train"})
    return path


def rewrite(
    folder: Path, data_dir: Path, *, num_marks: int = 6, renamed: Mapping[str, str] | None = None
) -> None:
    """Write a dataset with fewer marks, or with splits of other names, into a data directory."""
    builder = tfds.builder_from_directory(folder)
    examples = {
        (renamed or {}).get(split, split): [
            (i, {**example, "signal": example["signal"][:, :num_marks]})
            for i, example in enumerate(tfds.as_numpy(builder.as_dataset(split)))
        ]
        for split in builder.info.splits
    }
    num_bins, _ = builder.info.features["signal"].shape
    signal = tfds.features.Tensor(shape=(num_bins, num_marks), dtype=np.float32)
    tfds.dataset_builders.store_as_tfds_dataset(
        "remc",
        "1.0.0",
        tfds.features.FeaturesDict({**builder.info.features, "signal": signal}),
        examples,
        config=folder.parent.name,
        data_dir=data_dir,
        disable_shuffling=True,
    )
    metadata = {**builder.info.metadata, "marks": MARKS[:num_marks]}
    file = data_dir / "remc" / folder.parent.name / "1.0.0" / "metadata.json"
    file.write_text(json.dumps(metadata))


def small(data_dir: Path, run_dir: Path, **options: object) -> FitConfig:
    return FitConfig(
        **{
            "dataset": BOTH,
            "data_dir": data_dir,
            "run_dir": run_dir,
            "model": "cnn_alpha_beta",
            "epochs": 2,
            "learning_rate": 0.01,
            **options,
        }
    )


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on A and B, tested on C as well."""
    path = tmp_path_factory.mktemp("runs") / "both"
    fit(small(data_dir, path, leave_out="C", epigenome_bias=True))
    return path


def test_several_datasets_are_one(data_dir: Path) -> None:
    both = open_datasets(BOTH, data_dir)
    a, b = (open_dataset(name, data_dir) for name in "AB")
    assert (both.name, both.epigenome, both.marks) == (BOTH, "A+B", CORE_MARKS)
    assert both.medians == [d.metadata["median_rpkm"] for d in (a, b)]
    description = both.description()
    assert [p["fingerprint"] for p in description["epigenomes"]] == [
        a.fingerprint(),
        b.fingerprint(),
    ]
    assert description["fingerprint"] not in (a.fingerprint(), b.fingerprint())
    genes = load_genes(both, "test")
    of_a, of_b = (load_genes(d, "test", marks=CORE_MARKS) for d in (a, b))
    assert genes.epigenome.tolist() == ["A"] * len(of_a) + ["B"] * len(of_b)
    np.testing.assert_array_equal(genes.signal, np.concatenate([of_a.signal, of_b.signal]))
    np.testing.assert_array_equal(genes.label, np.concatenate([of_a.label, of_b.label]))


def test_marks_that_one_lacks_are_zero_where_any_will_do(data_dir: Path) -> None:
    both = open_datasets(BOTH, data_dir, any_mark=True)
    assert both.marks == MARKS
    genes = load_genes(both, "test", marks=("H3K27ac", "H3K4me3"))
    is_a = genes.epigenome == "A"
    assert genes.signal[is_a, :, 0].any()
    assert not genes.signal[~is_a, :, 0].any()
    assert genes.signal[~is_a, :, 1].any()
    with pytest.raises(InputError, match=r"marks that remc/A\+B holds.*marks=H3K27ac"):
        load_genes(open_datasets(BOTH, data_dir), "test", marks=("H3K27ac",))


def test_all_is_every_dataset_but_the_one_left_out(data_dir: Path) -> None:
    assert open_datasets("all", data_dir).epigenome == "A+B+C+D"
    assert open_datasets("all", data_dir, leave_out="remc/D").epigenome == "A+B+C"
    with pytest.raises(InputError, match=r"each epigenome once.*A, A"):
        open_datasets("remc/A+A", data_dir)
    with pytest.raises(InputError, match=r"there are remc/A, remc/B.*dataset='X'"):
        open_datasets("remc/A+X", data_dir)


def test_bins_that_run_two_ways_are_warned_of(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small(data_dir, tmp_path / "run", model="logistic_regression_max")
    training = prepare(config)
    train = training.genes["train"]
    turned = dataclasses.replace(train, oriented=train.epigenome == "A")
    begin(training._replace(genes={**training.genes, "train": turned}))
    assert "along transcription for 50 of 100 training genes only" in capsys.readouterr().err
    other = dataclasses.replace(training.config, run_dir=tmp_path / "b")
    begin(training._replace(config=other))
    assert not capsys.readouterr().err


def test_a_gene_in_two_splits_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"one split of all epigenomes.*such as SIM.*--split random"
    ):
        load(small(data_dir, tmp_path, dataset="remc/A+D"))
    _, genes = load(small(data_dir, tmp_path, dataset="remc/A+D", split="random"))
    ids = [set(of_split.gene_id) for of_split in genes.values()]
    assert not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])
    assert set(genes["test"].epigenome) == {"A", "D"}
    check_held_out(genes)


def test_targets_are_softened_by_each_epigenomes_own_median(data_dir: Path, tmp_path: Path) -> None:
    training = prepare(small(data_dir, tmp_path / "run"))
    genes = training.genes["train"]
    for part in training.dataset.parts:
        rows = genes.epigenome == part.epigenome
        np.testing.assert_array_equal(
            training.targets.target[rows],
            soft_targets(
                genes.rpkm[rows],
                genes.label[rows],
                labels="median",
                median=part.metadata["median_rpkm"],
            ),
        )
    assert training.config.targets == "soft"


def test_each_epigenome_is_measured_and_their_mean(trained: Path) -> None:
    run = open_run(trained)
    table = run.predictions
    test = table[table["split"] == "test"]
    of_each = {
        name: roc_auc_score(rows["label"], rows["probability"])
        for name, rows in test.groupby("epigenome")
    }
    measured = run.metrics["test"]
    assert {n: m["auroc"] for n, m in measured["epigenomes"].items()} == pytest.approx(of_each)
    assert measured["mean_auroc"] == pytest.approx(np.mean(list(of_each.values())))
    assert run.history["val_auroc"].max() == pytest.approx(
        run.metrics["valid"]["mean_auroc"], abs=1e-6
    )
    assert len(run.splits) == 150
    assert [p.name for p in run.config.dataset.parts] == ["remc/A", "remc/B"]
    text = summary(run.metrics)
    assert "test A " in text
    assert f"test: mean AUROC of 2 epigenomes {measured['mean_auroc']:.4f}" in text


def test_the_left_out_epigenome_stands_beside_what_needs_no_mark(
    data_dir: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(trained)
    left_out = run.metrics["left_out"]
    unseen = load_genes(open_dataset("C", data_dir), "test")
    assert (left_out["epigenome"], left_out["num_genes"]) == ("C", 50)
    tested = [load_genes(open_dataset(name, data_dir), "test") for name in "AB"]
    logs = sum(np.log2(genes.rpkm.astype(np.float64) + 0.1) for genes in tested)
    rows = left_out["expression_elsewhere"]
    assert rows["mean_log_expression"] == {
        "auroc": pytest.approx(roc_auc_score(unseen.label, logs)),
        "num_genes": 50,
    }
    votes = sum(genes.label.astype(int) for genes in tested)
    assert rows["mean_label"]["auroc"] == pytest.approx(roc_auc_score(unseen.label, votes))
    # Likewise whenever it is evaluated.
    metrics = evaluate(trained, dataset="C", out=tmp_path / "C")
    assert metrics["test"]["auroc"] == left_out["auroc"]
    assert metrics["test"]["expression_elsewhere"] == rows
    assert "0 left out, trained on in other epigenomes" in capsys.readouterr().out
    assert "of the mean log2 expression in the epigenomes trained on" in summary(run.metrics)


def test_genes_trained_on_elsewhere_are_not_evaluated(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"both classes in split 'test' of remc/D.*none"):
        evaluate(trained, dataset="D", out=tmp_path / "D")
    assert "0 test genes; 50 left out, trained on in other" in capsys.readouterr().out


def test_means_elsewhere_are_nan_where_unknown(data_dir: Path) -> None:
    genes = load_genes(open_dataset("A", data_dir), "test")
    ids = np.array(["nowhere", genes.gene_id[3]])
    means = mean_elsewhere(ids, [genes, genes], CLASSIFICATION.elsewhere)
    assert np.isnan(means["mean_label"][0])
    assert means["mean_label"][1] == genes.label[3]


def test_a_verb_asks_which_epigenome(trained: Path) -> None:
    with pytest.raises(InputError, match=r"one epigenome.*--dataset remc/A or remc/B"):
        attend(trained)
    assert attend(trained, dataset="remc/B").attrs["dataset"] == "remc/B"


def test_a_model_with_mark_dropout_predicts_what_lacks_a_mark(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fit(small(data_dir, tmp_path / "run", mark_dropout=0.2, epochs=1))
    assert run.marks == MARKS
    assert "B lacks H3K27ac: zero in every bin" in capsys.readouterr().out
    opened = run.open_dataset("B")
    assert not run.load_genes("test", dataset=opened).signal[..., 5].any()
    assert evaluate(run.path, dataset="B", out=tmp_path / "B")["test"]["num_genes"] == 50
    # An ensemble of such models does, too.
    other = Path(shutil.copytree(run.path, tmp_path / "other"))
    both = ensemble([run.path, other], tmp_path / "both")
    found = evaluate(both.path)["test"]["epigenomes"]
    assert found.keys() == run.metrics["test"]["epigenomes"].keys()
    assert not both.load_genes("test", dataset=both.open_dataset("B")).signal[..., 5].any()
    with pytest.raises(InputError, match=r"mark_dropout=0\.2"):
        small(data_dir, tmp_path / "svm", model="svm", mark_dropout=0.2)


def test_biases_of_epigenomes_sum_to_zero_and_are_none_of_the_model() -> None:
    rows = centred_one_hot(np.array(["a", "b", "a", "c"]))
    np.testing.assert_allclose(rows[0], [2 / 3, -1 / 3, -1 / 3], rtol=1e-6)
    np.testing.assert_array_equal(rows[0], rows[2])
    trainee = logit_model(build_model("cnn_alpha_beta", marks=("a", "b"), num_bins=6))
    trainer = ShardedTrainer(trainee, num_epigenomes=3)
    (bias,) = trainer.get_layer("bias_of_epigenome").weights
    bias.assign([[3.0], [0.0], [0.0]])
    signal = np.random.default_rng(0).random((4, 6, 2), np.float32)
    added = trainer([signal, rows]) - trainee(signal)
    np.testing.assert_allclose(added[:, 0], [2, -1, 2, -1], atol=1e-5)


def test_a_frozen_encoder_keeps_its_weights_and_its_scale(
    data_dir: Path, trained: Path, tmp_path: Path
) -> None:
    options = {"dataset": "C", "marks": CORE_MARKS, "init_from": trained, "freeze": "encoder"}
    run = fit(small(data_dir, tmp_path / "run", **options, calibrate="none"))
    before, after = (r.load_model() for r in (open_run(trained), run))
    changed = {
        layer.name
        for layer in after.layers
        for old, new in zip(
            before.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True
        )
        if not np.array_equal(old, new)
    }
    assert changed == {"logit"}
    assert all(layer.trainable for layer in after.layers)
    arguments = [r.config.arguments for r in (open_run(trained), run)]
    assert arguments[0]["signal_mean"] == arguments[1]["signal_mean"]
    assert run.config.options["init_from"] == str(trained)


def test_a_free_start_is_the_runs_weights(data_dir: Path, trained: Path, tmp_path: Path) -> None:
    options = {"dataset": "C", "marks": CORE_MARKS, "init_from": trained}
    model = prepare(small(data_dir, tmp_path / "run", **options)).model
    assert isinstance(model, keras.Model)
    for old, new in zip(
        open_run(trained).load_model().get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_a_start_has_not_seen_what_is_tested(data_dir: Path, trained: Path, tmp_path: Path) -> None:
    options = {"dataset": "C", "marks": CORE_MARKS}
    with pytest.raises(InputError, match=r"not seen the epigenome left out.*remc/A\+B.*=A$"):
        prepare(small(data_dir, tmp_path / "a", **options, init_from=trained, leave_out="A"))
    # Validation genes have chosen the epoch and the temperature of a run.
    start = Path(shutil.copytree(trained, tmp_path / "start"))
    splits = pd.read_csv(start / "splits.csv", dtype=str)
    renamed = {"valid": "test", "test": "valid"}
    splits["split"] = splits["split"].replace(renamed)
    splits.to_csv(start / "splits.csv", index=False)
    with pytest.raises(InputError, match=r"trained on, or chosen by, 50 of 100"):
        prepare(small(data_dir, tmp_path / "b", **options, init_from=start))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lstm"}, "model lstm.*of model cnn_alpha_beta"),
        ({"marks": ("H3K4me3",)}, "marks H3K4me3"),
        ({"transform": "none"}, "transform none"),
        ({"split": "random"}, "not seen the validation and test genes.*trained on"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    data_dir: Path, trained: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    given = {"dataset": "C", "marks": CORE_MARKS, "init_from": trained, **options}
    with pytest.raises(InputError, match=message):
        prepare(small(data_dir, tmp_path / "run", **given))


def test_freezing_needs_a_start() -> None:
    with pytest.raises(InputError, match="--init-from RUN with --freeze encoder"):
        FitConfig(dataset="a", run_dir="b", freeze="encoder")


def test_a_joined_run_goes_on(data_dir: Path, trained: Path) -> None:
    fit(small(data_dir, trained, leave_out="C", epigenome_bias=True, resume=True))
    options = json.loads((trained / "config.json").read_text())["options"]
    assert (options["dataset"], options["leave_out"]) == (BOTH, "C")


# === Asked about one of its epigenomes ===


def test_a_run_of_several_is_contrasted_between_two_of_them(trained: Path) -> None:
    with pytest.raises(InputError, match="take --dataset remc/A or remc/B"):
        contrast(trained, trained)
    with pytest.raises(
        InputError, match=r"two datasets, of A and of B\. Received: dataset=\['remc/A'"
    ):
        contrast(trained, trained, dataset=["remc/A"])
    # A simulation of another seed has its genes elsewhere.
    with pytest.raises(InputError, match="150 genes of remc/A, 150 of remc/C, none in both"):
        contrast(trained, trained, dataset=["remc/A", "remc/C"], split="all")
    found = contrast(trained, trained, dataset=["remc/A", "remc/A"])
    assert (found.name_a, found.name_b) == ("both (remc/A)", "both (remc/A)")


def test_the_methods_of_a_run_of_several_are_measured_on_one(trained: Path) -> None:
    options = {"methods": ("alpha",), "num_seeds": 1, "num_permuted": 0, "num_untrained": 1}
    with pytest.raises(InputError, match="take --dataset remc/A or remc/B"):
        faithfulness(trained, FaithfulnessConfig(**options))
    config = FaithfulnessConfig(**options, dataset="remc/B", max_genes=10, min_genes=1)
    found = faithfulness(trained, config)
    assert found.title.startswith("cnn_alpha_beta on remc/B: 1 training, 1 untrained; 10 of ")
    assert {"deletion", "planted", "random_weights"} <= set(found.scores["measure"])


@pytest.fixture(scope="module")
def regressed(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of regression on A and B, tested on C as well."""
    path = tmp_path_factory.mktemp("runs") / "expression"
    fit(small(data_dir, path, leave_out="C", epigenome_bias=True, task="regression"))
    return path


def test_regression_on_several_is_judged_by_the_mean_of_their_correlations(regressed: Path) -> None:
    run = open_run(regressed)
    table = run.predictions
    for split in ("valid", "test"):
        of_split = run.metrics[split]
        each = {
            name: pearsonr(rows["measured"], rows["predicted"]).statistic
            for name, rows in table[table["split"] == split].groupby("epigenome")
        }
        assert set(each) == {"A", "B"}
        for name, r in each.items():
            assert of_split["epigenomes"][name]["pearson"] == pytest.approx(r, abs=1e-6)
        assert of_split["mean_pearson"] == pytest.approx(np.mean([*each.values()]), abs=1e-6)
    assert run.history["val_pearson"].max() == pytest.approx(
        run.metrics["valid"]["mean_pearson"], abs=1e-5
    )
    words = summary(run.metrics)
    assert f"test: mean Pearson's r of 2 epigenomes {run.metrics['test']['mean_pearson']:.4f}" in (
        words
    )


def test_regression_of_an_unseen_epigenome_stands_beside_its_expression_elsewhere(
    regressed: Path, data_dir: Path
) -> None:
    left_out = open_run(regressed).metrics["left_out"]
    rows = left_out["expression_elsewhere"]
    assert left_out["epigenome"] == "C"
    assert set(rows) == {"mean_expression"}
    c, *others = (load_genes(open_dataset(name, data_dir), "test") for name in "CAB")
    assert [genes.gene_id.tolist() for genes in others] == [c.gene_id.tolist()] * 2
    mean = np.mean([np.log2(genes.rpkm + 1) for genes in others], axis=0)
    r = pearsonr(np.log2(c.rpkm + 1), mean).statistic
    assert rows["mean_expression"]["pearson"] == pytest.approx(r, abs=1e-6)
    assert rows["mean_expression"]["num_genes"] == len(c) == left_out["num_genes"]


def test_each_epigenome_needs_expression_and_one_unit(data_dir: Path) -> None:
    regression, both = TASKS["regression"], open_datasets(BOTH, data_dir)
    genes = load_genes(both, "test")
    of_b = genes.epigenome == "B"
    unknown = dataclasses.replace(genes, rpkm=np.where(of_b, np.nan, genes.rpkm))
    with pytest.raises(InputError, match=r"split 'test' of remc/B .*Received: 0 with known"):
        regression.check(regression.known(unknown), both, "median")
    logarithms = dataclasses.replace(genes, rpkm=np.where(of_b, -2.5, genes.rpkm))
    with pytest.raises(InputError, match=r"0 or more in remc/B.*Received: -2.5, and \d+ genes"):
        regression.check(logarithms, both, "median")
    a, b = both.parts
    other = dataclasses.replace(b, metadata={**b.metadata, "unit": "TPM"})
    mixed = dataclasses.replace(both, parts=(a, other))
    assert mixed.unit == "RPKM or TPM"
    with pytest.raises(InputError, match=r"one unit .*Received: RPKM, TPM"):
        regression.check(genes, mixed, "median")
    CLASSIFICATION.check(genes, mixed, "median")


def test_a_run_is_evaluated_in_its_unit(regressed: Path, data_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(data_dir / "remc" / "C", tmp_path / "remc" / "C")
    file = tmp_path / "remc" / "C" / "1.0.0" / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "unit": "TPM"}))
    with pytest.raises(InputError, match=r"one unit for --task regression. Received: RPKM, TPM"):
        evaluate(regressed, dataset="C", data_dir=tmp_path, out=tmp_path / "out")


def test_a_run_of_one_task_starts_none_of_another(trained: Path, data_dir: Path) -> None:
    config = small(data_dir, trained.parent / "x", init_from=trained, task="regression")
    with pytest.raises(InputError, match=r"of task regression. Received: .* of task classif"):
        prepare(config)
