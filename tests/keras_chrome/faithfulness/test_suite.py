"""The faithfulness suite."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from keras_chrome.errors import InputError
from keras_chrome.faithfulness import FaithfulnessConfig, faithfulness, suite
from keras_chrome.faithfulness.__main__ import main
from keras_chrome.faithfulness.figure import draw_faithfulness
from keras_chrome.faithfulness.measures import MEASURES, QUESTIONS
from keras_chrome.faithfulness.output import answers, markdown
from keras_chrome.faithfulness.suite import _Score, auroc_loss
from keras_chrome.faithfulness.trainings import with_further_trainings
from keras_chrome.importance import compute_importance
from keras_chrome.runs import open_run
from keras_chrome.runs.trainings import group_trainings
from keras_chrome.statistics.bootstrap import NUM_RESAMPLES, with_interval

QUICK = ("alpha", "gradient_x_input")
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


def scores(**methods: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("prediction", "deletion", method, value, low, high, 9, 1, "higher")
            for method, (value, low, high) in methods.items()
        ],
        columns=list(_Score._fields),
    )


def test_every_measure_answers_a_question() -> None:
    assert {measure.question for measure in MEASURES.values()} == set(QUESTIONS)
    assert {measure.better for measure in MEASURES.values()} == {"higher", "lower"}


def test_the_best_is_named_with_those_level_and_the_naive() -> None:
    (sentence,) = answers(
        scores(
            signal=(0.2, 0.1, 0.3),
            alpha=(0.1, 0.0, 0.2),
            occlusion=(0.8, 0.7, 0.9),
            saliency=(0.65, 0.55, 0.75),
        )
    )
    assert sentence == (
        "deletion: occlusion 0.80 [0.70, 0.90]; level with it saliency; naive signal 0.20"
    )


def test_the_best_stands_beside_networks_that_have_learned_nothing() -> None:
    table = scores(alpha=(0.1, 0.0, 0.2), occlusion=(0.8, 0.7, 0.9))
    of_nothing = scores(alpha=(0.05, 0.0, 0.1), occlusion=(0.3, 0.2, 0.4))
    of_nothing["measure"] = "deletion_untrained"
    (sentence,) = answers(pd.concat([table, of_nothing], ignore_index=True))
    assert sentence == "deletion: occlusion 0.80 [0.70, 0.90]; untrained 0.30"


def test_lower_is_better_where_it_is() -> None:
    table = scores(alpha=(0.9, 0.8, 1.0), saliency=(0.1, 0.0, 0.2))
    table["measure"], table["better"] = "random_weights", "lower"
    assert answers(table) == ["random_weights: saliency 0.10 [0.00, 0.20]"]


def test_an_unknown_value_is_no_answer() -> None:
    assert answers(scores(alpha=(np.nan, np.nan, np.nan))) == []


def permuted_models(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of 60 genes, and scores by a model and by five that are worse by turns."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 60)
    strength = np.array([2, *rng.uniform(0, 2, 5)])
    scores = strength[:, np.newaxis] * label + rng.normal(size=(6, 60)).round(1)
    return label, scores[0], scores[1:]


def auroc_over_all_pairs(label: np.ndarray, score: np.ndarray) -> float:
    high, low = score[label == 1, np.newaxis], score[label == 0]
    return float(np.mean((high > low) + 0.5 * (high == low)))


@pytest.mark.parametrize("seed", range(8))
def test_the_loss_of_permuted_attention_lies_in_its_own_interval(seed: int) -> None:
    label, whole, permuted = permuted_models(seed)
    value, low, high = with_interval(auroc_loss(label, whole, permuted), 60, seed=0)
    losses = [auroc_over_all_pairs(label, whole) - auroc_over_all_pairs(label, p) for p in permuted]
    assert value == pytest.approx(np.mean(losses))
    assert low < value < high


def test_the_interval_is_of_the_mean_over_permutations() -> None:
    label, whole, permuted = permuted_models(0)
    rng = np.random.default_rng(3)
    losses = []
    for _ in range(NUM_RESAMPLES):
        rows = rng.integers(60, size=60)
        of_whole, *of_permuted = (
            auroc_over_all_pairs(label[rows], score[rows]) for score in (whole, *permuted)
        )
        losses.append(of_whole - np.mean(of_permuted))
    estimate = with_interval(auroc_loss(label, whole, permuted), 60, seed=3)
    np.testing.assert_allclose(estimate[1:], np.percentile(losses, [2.5, 97.5]))


def test_without_other_trainings(
    cnn_run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(
        [
            *(str(cnn_run_path), "--methods", *QUICK, "--num-seeds", "1", "--num-permuted", "0"),
            *("--max-genes", "20", "--min-genes", "1", "--num-untrained", "2", "--out", str(out)),
        ]
    )
    printed = capsys.readouterr().out
    written = {str(path) for path in out.iterdir() if path.is_file()}
    assert set(printed.splitlines()[-len(written) :]) == written
    assert all(text in printed for name, text in QUESTIONS.items() if name != "stability")
    words = " ".join(printed.split())
    assert "cnn_alpha_beta on remc/small: 1 training, 2 untrained; 20 of 50 genes" in words
    assert "best balanced accuracy over 50 validation genes" in words
    table = pd.read_csv(out / "faithfulness.csv")
    measured = table.groupby("measure")["method"].agg(list)
    assert measured["deletion"] == ["tss_distance", "signal", *QUICK]
    for measure in ("random_weights", "deletion_untrained", "insertion_untrained"):
        assert measured[measure] == list(QUICK)
    networks = table.groupby("measure")["num_networks"].unique().map(list)
    assert networks["deletion"] == [1]
    assert networks["deletion_untrained"] == networks["planted_untrained"] == [2]
    assert measured["entropy"] == [*(f"alpha {mark}" for mark in MARKS), "beta"]
    entropy = table[table["measure"] == "entropy"]["value"]
    assert entropy.between(0, 1).all()
    assert set(measured["change"]) == {
        f"{which} {how}"
        for which in ("alpha", "beta", "alpha and beta")
        for how in ("uniform", "permuted")
    }
    # `remc/small` is simulated: what it planted is known.
    assert measured["planted"] == ["tss_distance", "signal", *QUICK]
    assert measured["planted_smooth"] == measured["planted"]
    assert not {"seeds", "permuted_labels", "tau_occlusion"} & set(measured.index)
    known = table[table["value"].notna()]
    assert (known["low"] <= known["value"] + 1e-9).all()
    assert (known["value"] <= known["high"] + 1e-9).all()
    cascade = pd.read_csv(out / "cascade.csv")
    layers = ["logit", "mark_attention", "mark_convolution", "bin_attention", "convolution"]
    assert cascade[cascade["method"] == "alpha"]["layer"].tolist() == layers
    # Attention over bins does not know of the layers after it.
    of_alpha = cascade[cascade["method"] == "alpha"].set_index("layer")["spearman"]
    np.testing.assert_allclose(of_alpha[layers[:3]], 1, atol=1e-6)
    assert of_alpha["convolution"] < 0.9
    assert {path.suffix for path in out.iterdir()} == {".csv", ".md", ".png", ".svg"}


@pytest.mark.slow
def test_other_trainings_are_made_once(cnn_run_path: Path, tmp_path: Path) -> None:
    config = FaithfulnessConfig(
        methods=("alpha", "occlusion"), num_seeds=2, max_genes=10, min_genes=1, num_untrained=1
    )
    first = faithfulness(cnn_run_path, config, directory=tmp_path / "out")
    models = sorted((tmp_path / "out").rglob("model.keras"))
    assert [m.parent.name for m in models] == ["permuted-labels-0", "seed-1"]
    written = [m.stat().st_mtime_ns for m in models]
    second = faithfulness(cnn_run_path, config, directory=tmp_path / "out")
    assert [m.stat().st_mtime_ns for m in models] == written
    pd.testing.assert_frame_equal(first.scores, second.scores)
    # The same runs named one by one.
    runs = [cnn_run_path, *(model.parent for model in models)]
    named = faithfulness(runs, config, directory=tmp_path / "other")
    pd.testing.assert_frame_equal(first.scores, named.scores)
    assert not (tmp_path / "other").exists()
    deletion = first.scores[first.scores["measure"] == "deletion"]
    assert set(deletion["num_networks"]) == {2}
    measured = set(first.scores["measure"])
    assert {"seeds", "permuted_labels", "tau_occlusion"} <= measured
    draw_faithfulness(first)
    assert "shuffled labels" in markdown(first)


def test_importance_is_computed_once_in_each_network(
    cnn_run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def counted(name: str, model: keras.Model, *args: object, **options: object) -> np.ndarray:
        seen.append(hash(b"".join(weight.tobytes() for weight in model.get_weights())))
        return compute_importance(name, model, *args, **options)

    monkeypatch.setattr(suite, "compute_importance", counted)
    config = FaithfulnessConfig(
        methods=("alpha",), num_seeds=1, num_permuted=0, num_untrained=2, min_genes=1, max_genes=20
    )
    cascade = faithfulness(cnn_run_path, config).cascade
    # Of five layers the last leaves the first untrained network.
    assert len(cascade) == 5
    assert len(seen) == len(set(seen)) == 1 + 2 + 4


def test_a_baseline_is_refused(_fitted_baseline: Path) -> None:
    with pytest.raises(InputError, match=r"Expected a neural network.*faithfulness"):
        faithfulness(_fitted_baseline)


def test_a_run_that_was_not_trained_here_has_no_other_seeds(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((cnn_run_path / "config.json").read_text())
    del config["dataset"]["name"]
    (cnn_run_path / "config.json").write_text(json.dumps(config))
    (trainings,) = group_trainings([cnn_run_path])
    found = with_further_trainings(trainings, FaithfulnessConfig(), cnn_run_path)
    assert found == trainings
    assert "was not trained here" in capsys.readouterr().out


def test_runs_of_other_options_are_refused(cnn_run_path: Path) -> None:
    other = cnn_run_path.with_name("other")
    shutil.copytree(cnn_run_path, other)
    config = json.loads((other / "config.json").read_text())
    config["options"]["learning_rate"] = 0.5
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"runs that differ in their seed.*differ in more"):
        faithfulness([cnn_run_path, other])


def test_too_few_genes_predicted_on_are_refused(cnn_run_path: Path) -> None:
    config = FaithfulnessConfig(max_genes=20, num_seeds=1, num_permuted=0)
    with pytest.raises(InputError, match=r"at least 50 genes predicted ON among the 20 drawn"):
        faithfulness(cnn_run_path, config)


def test_attention_that_is_uniform_has_the_greatest_entropy(cnn_run_path: Path) -> None:
    run = open_run(cnn_run_path)
    model = run.load_model()
    attention = model.get_layer("bin_attention")
    attention.set_weights([0 * weights for weights in attention.get_weights()])
    run.save_model(model)
    config = FaithfulnessConfig(
        methods=("alpha",), num_seeds=1, num_permuted=0, num_untrained=1, min_genes=1
    )
    scores = faithfulness(cnn_run_path, config).scores
    entropy = scores[scores["measure"] == "entropy"].set_index("method")["value"]
    assert entropy[[f"alpha {mark}" for mark in MARKS]].tolist() == pytest.approx([1.0] * 5)
    assert entropy["beta"] < 1
    # What is uniform already does not change.
    change = scores[scores["measure"] == "change"].set_index("method")["value"]
    assert change["alpha uniform"] == pytest.approx(0, abs=1e-6)
    assert change["beta uniform"] > 1e-4


def test_bad_options_are_refused() -> None:
    with pytest.raises(InputError, match="num_untrained=0"):
        FaithfulnessConfig(num_untrained=0)
    with pytest.raises(InputError, match="num_permuted=-1"):
        FaithfulnessConfig(num_permuted=-1)
    with pytest.raises(InputError, match="num_seeds=0"):
        FaithfulnessConfig(num_seeds=0)
    with pytest.raises(InputError, match=r"methods=\['grad_cam'\]"):
        FaithfulnessConfig(methods=("grad_cam",))
    with pytest.raises(InputError, match=r"one or more of .* wrt=\(\)"):
        FaithfulnessConfig(wrt=())
    with pytest.raises(InputError, match="wrt='log'"):
        FaithfulnessConfig(wrt=("log",))
