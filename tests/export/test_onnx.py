"""Exports in ONNX, as ONNX Runtime answers with them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from export import export_all, export_runs
from export.__main__ import main
from export.checks import ExportError
from export.fresh_process import FreshProcess
from export.onnx_graph import HANDLERS
from keras_chrome import InputError
from keras_chrome.command_line import run_command
from keras_chrome.models import VARIANTS
from keras_chrome.models.ensemble import ensemble_model
from keras_chrome.runs import Run

SIZES = {"deep_chrome": {"filter_bins": 3, "pool_bins": 2}}
LSTMS = {"lstm": 2, "lstm_attn": 2, "lstm_alpha": 10, "attentive_chrome": 12}


def answers(file: Path, signal: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"signal": signal}), strict=True))


@pytest.fixture(scope="module")
def onnx_run(cnn_run: Run, process: FreshProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX export of a run."""
    models_dir = tmp_path_factory.mktemp("onnx")
    return export_runs([cnn_run.path], models_dir, "cnn", format="onnx", fresh_process=process)


@pytest.fixture
def export_onnx(process: FreshProcess, tmp_path: Path) -> Callable[..., Path]:
    def export(*runs: Run) -> Path:
        run_dirs = [run.path for run in runs]
        return export_runs(run_dirs, tmp_path, "model", format="onnx", fresh_process=process)

    return export


def assert_same(model_dir: Path, expected: dict[str, np.ndarray], signal: np.ndarray) -> None:
    """Both files answer as a Keras model did, for all genes and for each alone."""
    received = answers(model_dir / "model.onnx", signal)
    assert set(received) == set(expected)
    for name, values in expected.items():
        assert received[name].dtype == np.float32
        assert received[name].shape == values.shape
        np.testing.assert_allclose(received[name], values, atol=1e-5, err_msg=name)
    ((name, values),) = answers(model_dir / "predict.onnx", signal).items()
    assert name in ("probability", "expression")
    np.testing.assert_allclose(values, expected[name], atol=1e-5)
    for gene in range(len(signal)):
        for name, alone in answers(model_dir / "model.onnx", signal[[gene]]).items():
            np.testing.assert_allclose(alone[0], expected[name][gene], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_variant_answers_as_keras_does(
    variant: str,
    make_run: Callable[..., Run],
    export_onnx: Callable[..., Path],
    signal: np.ndarray,
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run", variant, **SIZES.get(variant, {}))
    model_dir = export_onnx(run)
    outputs = run.load_model()(signal, training=False)
    assert_same(model_dir, {key: value.numpy() for key, value in outputs.items()}, signal)
    graph = onnx.load(model_dir / "model.onnx").graph
    assert {node.domain for node in graph.node} <= {"", "ai.onnx"}
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("LSTM") == LSTMS.get(variant, 0)
    assert not {"Loop", "Scan", "If"} & set(kinds)


def test_onnx_runtime_finds_what_it_has_as_one_operation(
    make_run: Callable[..., Run], export_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    """A GELU of its parts takes twice as long as all the rest of the model."""
    model_dir = export_onnx(make_run(tmp_path / "run", "context_chrome"))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    onnxruntime.InferenceSession(model_dir / "model.onnx", options)
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert kinds.count("FastGelu") == 9
    assert "Tanh" not in kinds


def test_regression_answers_expression(
    make_run: Callable[..., Run],
    export_onnx: Callable[..., Path],
    signal: np.ndarray,
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run", "cnn_alpha_beta", task="regression")
    expected = run.load_model()(signal, training=False)
    assert "expression" in expected
    assert_same(export_onnx(run), {k: v.numpy() for k, v in expected.items()}, signal)


def test_an_ensemble_answers_with_its_deviations(
    members: list[Run], export_onnx: Callable[..., Path], signal: np.ndarray
) -> None:
    model = ensemble_model([member.load_model() for member in members])
    expected = {key: value.numpy() for key, value in model(signal, training=False).items()}
    assert {"probability_sd", "alpha_sd", "beta_sd"} < set(expected)
    model_dir = export_onnx(*members)
    assert_same(model_dir, expected, signal)
    about = onnx.load(model_dir / "model.onnx").metadata_props
    assert json.loads(about[0].value)["seeds"] == [3, 4, 5]


def test_an_ensemble_of_several_variants_answers_as_keras_does(
    make_run: Callable[..., Run],
    join: Callable[..., Run],
    export_onnx: Callable[..., Path],
    signal: np.ndarray,
    tmp_path: Path,
) -> None:
    variants = ("attentive_chrome", "additive_chrome", "lstm_attn")
    mixed = join([make_run(tmp_path / "runs" / v, v) for v in variants], tmp_path / "mixed")
    expected = mixed.load_model()(signal, training=False)
    assert {"probability_sd", "alpha_sd", "beta_sd"} < set(expected)
    model_dir = export_onnx(mixed)
    assert_same(model_dir, {k: v.numpy() for k, v in expected.items()}, signal)


def test_files_are_what_onnx_runtime_of_the_last_two_years_reads(onnx_run: Path) -> None:
    assert {path.name for path in onnx_run.iterdir()} == {"model.onnx", "predict.onnx"}
    assert {path.name for path in onnx_run.parent.parent.iterdir()} == {"cnn"}
    for path in onnx_run.iterdir():
        model = onnx.load(path)
        assert model.ir_version == 8
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]


def test_shapes_are_told_with_a_free_batch(onnx_run: Path) -> None:
    shapes = {
        path.name: {
            value.name: (value.type, *value.shape)
            for session in [onnxruntime.InferenceSession(path)]
            for value in [*session.get_inputs(), *session.get_outputs()]
        }
        for path in onnx_run.iterdir()
    }
    of_answer = {
        "signal": ("tensor(float)", "n", 8, 5),
        "probability": ("tensor(float)", "n"),
    }
    assert shapes["predict.onnx"] == of_answer
    assert shapes["model.onnx"] == {
        **of_answer,
        "alpha": ("tensor(float)", "n", 5, 8),
        "beta": ("tensor(float)", "n", 5),
    }


def test_metadata_is_what_the_sidecar_of_a_saved_model_says(
    onnx_run: Path, cnn_run: Run, process: FreshProcess, tmp_path: Path
) -> None:
    saved_model = export_runs([cnn_run.path], tmp_path, "cnn", fresh_process=process)
    for path in onnx_run.iterdir():
        about = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        sidecar = (saved_model / "assets" / "keras_chrome.json").read_text()
        assert about == {"keras_chrome": sidecar}


def test_the_command_exports_all_and_says_nothing_else(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    for seed in (0, 1):
        run = make_run(tmp_path / "runs" / str(seed), "lstm", seed=seed, epigenome="E012")
        (run.path / "metrics.json").write_text("{}")
    models = tmp_path / "models"
    command = ["--all", str(tmp_path / "runs"), "--to", str(models), "--format", "onnx"]
    answer = subprocess.run(
        [sys.executable, "-m", "export", *command], capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        f"{models}/E012/1: exported an ensemble of 2; answers as Keras does",
        "exported: 1; failed: 0; left out: none",
    ]
    assert len(answers(models / "E012" / "1" / "model.onnx", np.ones((3, 8, 5), np.float32))) == 2
    # No longer by name: the next version.
    assert export_all(tmp_path / "runs", models, format="onnx") == [models / "E012" / "2"]


@pytest.mark.parametrize(("first", "second"), [("savedmodel", "onnx"), ("onnx", "savedmodel")])
def test_a_folder_holds_models_of_one_format(
    cnn_run: Run, process: FreshProcess, tmp_path: Path, first: str, second: str
) -> None:
    export_runs([cnn_run.path], tmp_path, "cnn", format=first, fresh_process=process)
    before = sorted(tmp_path.rglob("*"))
    refusal = f"models of format {second} alone. Received: {tmp_path}/cnn/1, of format {first}"
    for name in ("cnn", "other"):
        with pytest.raises(InputError, match=refusal):
            export_runs([cnn_run.path], tmp_path, name, format=second, fresh_process=process)
    with pytest.raises(InputError, match=refusal):
        export_all(cnn_run.path.parent, tmp_path, format=second)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["run", "--name", "a", "--stable"], "neither --stable nor --base-path"),
        (["run", "--name", "a", "--base-path", "/m"], "neither --stable nor --base-path"),
        (["--label", "stable=1", "--name", "a"], "no --format with --label"),
    ],
)
def test_labels_are_for_tensorflow_serving(
    options: list[str], refusal: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=refusal):
        main([*options, "--to", str(tmp_path / "models"), "--format", "onnx"])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(cnn_run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one of \('savedmodel', 'onnx'\). Received: format='tf"):
        export_runs([cnn_run.path], tmp_path, "cnn", format="tflite")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "tf2onnx"])
def test_without_the_extra_one_line_names_it(
    cnn_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    command = ["--to", str(tmp_path / "models"), "--format", "onnx"]
    for runs in ([str(cnn_run.path), "--name", "a"], ["--all", str(cnn_run.path)]):
        monkeypatch.setattr(sys, "argv", ["export", *runs, *command])
        with pytest.raises(SystemExit, match="2"):
            run_command(main, InputError)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert "pip install 'keras-chrome[onnx]'" in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def damage(process: FreshProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Changes the files of an export just before they are asked."""

    def damage(change: Callable[[onnx.ModelProto], object], file: str) -> None:
        ask = process.answers

        def answers(model_dir: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            model = onnx.load(model_dir / file)
            change(model)
            onnx.save(model, model_dir / file)
            return ask(model_dir, inputs)

        monkeypatch.setattr(process, "answers", answers)

    yield damage


def other_weights(model: onnx.ModelProto) -> None:
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(weights) + np.float32(0.01)
            weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))


@pytest.mark.parametrize("file", ["model", "predict"])
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (other_weights, r"answer as the Keras model, to 1e-05. Received: {file}\."),
        (lambda model: model.ClearField("metadata_props"), "the description of the model"),
        (lambda model: model.graph.ClearField("input"), "loads and answers without our code"),
    ],
)
def test_an_export_that_is_not_the_model_leaves_nothing(
    damage: Callable[..., None],
    cnn_run: Run,
    export_onnx: Callable[..., Path],
    tmp_path: Path,
    file: str,
    change: Callable[[onnx.ModelProto], object],
    refusal: str,
) -> None:
    damage(change, f"{file}.onnx")
    with pytest.raises(ExportError, match=refusal.format(file=file)):
        export_onnx(cnn_run)
    assert list(tmp_path.iterdir()) == []


def test_an_operation_that_onnx_lacks_is_refused_and_said_once(
    cnn_run: Run,
    export_onnx: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delitem(HANDLERS, "Log1p")
    with pytest.raises(ExportError, match=r"standard operations of ONNX.*Log1p") as error:
        export_onnx(cnn_run)
    assert "\n" not in str(error.value)
    assert caplog.records == []
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_documentation_runs(
    cnn_run: Run, process: FreshProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    export_runs([cnn_run.path], "models-onnx", "E012", format="onnx", fresh_process=process)
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["answer"]["alpha"].shape == (2, 5, 8)
    expected = cnn_run.load_model()(np.zeros((2, 8, 5), np.float32))["probability"]
    np.testing.assert_allclose(names["answer"]["probability"], expected, atol=1e-6)
