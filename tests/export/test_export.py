import json
import resource
import shutil
import signal as signals
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from export import export_run, export_runs
from export.__main__ import main
from export.checks import ExportError, check_operations, check_parity
from export.fresh_process import FreshProcess
from keras_chrome import InputError
from keras_chrome.runs import Run

SIGNATURES = {"serving_default", "predict", "saliency", "describe"}
FILES = {
    "saved_model.pb",
    "fingerprint.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/keras_chrome.json",
    "assets.extra/tf_serving_warmup_requests",
}

# Loads a SavedModel in both ways, in a process that cannot import our packages, and writes what
# each signature answers.
LOAD_WITHOUT_OUR_CODE = """
import sys
for package in ("keras_chrome", "export", "serving", "tfds_remc"):
    sys.modules[package] = None
import numpy as np
import tensorflow as tf
model_dir, signal_file, out_file = sys.argv[1:]
signal = np.load(signal_file)
answers = {}
loaded = tf.saved_model.load(model_dir)
names = ("serving_default", "predict", "saliency")
for name in names:
    for key, value in loaded.signatures[name](signal=tf.constant(signal)).items():
        answers[f"tf2.{name}.{key}"] = value.numpy()
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    with session.graph.as_default():
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], model_dir)
    for name in names:
        signature = meta_graph.signature_def[name]
        fetches = {key: tensor.name for key, tensor in signature.outputs.items()}
        for key, value in session.run(fetches, {signature.inputs["signal"].name: signal}).items():
            answers[f"tf1.{name}.{key}"] = value
np.savez(out_file, **answers)
"""


def read_graphs(model_dir: Path) -> saved_model_pb2.SavedModel:
    return saved_model_pb2.SavedModel.FromString((model_dir / "saved_model.pb").read_bytes())


def files_of(model_dir: Path) -> set[str]:
    return {p.relative_to(model_dir).as_posix() for p in model_dir.rglob("*") if p.is_file()}


def test_writes_what_tensorflow_serving_looks_for_and_nothing_else(exported: Path) -> None:
    assert (exported.parent.name, exported.name) == ("tiny", "7")
    beside = {p.name for p in exported.parent.parent.iterdir()}
    assert beside == {"tiny", "models.config", ".models.config.lock"}
    assert files_of(exported) == FILES


def test_sidecar_says_what_the_model_expects(exported: Path) -> None:
    sidecar = json.loads((exported / "assets" / "keras_chrome.json").read_text())
    versions = sidecar.pop("versions")
    assert set(versions) == {"keras-chrome", "tensorflow", "keras"}
    assert sidecar == {
        "format": 1,
        "variant": "attentive_chrome",
        "members": 1,
        "seeds": [1],
        "marks": ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"],
        "num_bins": 8,
        "transform": "log1p",
        "probability_of": "high expression",
        "label_rule": "high if rpkm > median_rpkm",
        "dataset": "remc/demo",
        "bin_bp": 100,
        "flank_bp": 400,
        "oriented": False,
        "genome": "simulated",
    }


def test_signatures_are_float32_with_a_free_batch(exported: Path) -> None:
    loaded = tf.saved_model.load(str(exported))
    assert set(loaded.signatures) == SIGNATURES
    shapes = {
        name: {key: tuple(s.shape) for key, s in f.structured_outputs.items()}
        for name, f in loaded.signatures.items()
    }
    assert shapes["serving_default"] == {
        "probability": (None,),
        "alpha": (None, 5, 8),
        "beta": (None, 5),
    }
    assert shapes["predict"] == {"probability": (None,)}
    assert shapes["saliency"] == {"gradient": (None, 8, 5), "probability": (None,)}
    for name in SIGNATURES - {"describe"}:
        (spec,) = loaded.signatures[name].structured_input_signature[1].values()
        assert (spec.name, spec.dtype, tuple(spec.shape)) == ("signal", tf.float32, (None, 8, 5))
        assert {s.dtype for s in loaded.signatures[name].structured_outputs.values()} == {
            tf.float32
        }


@pytest.mark.slow
def test_answers_as_the_keras_model_in_a_process_without_our_code(
    exported: Path, model: keras.Model, signal: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "signal.npy", signal)
    subprocess.run(
        [
            *(sys.executable, "-c", LOAD_WITHOUT_OUR_CODE, exported),
            *(tmp_path / "signal.npy", tmp_path / "answers.npz"),
        ],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    answers = np.load(tmp_path / "answers.npz")
    expected = model(signal, training=False)
    assert len(answers) == 2 * 6
    for name, answer in answers.items():
        if not name.endswith("gradient"):
            key = name.rsplit(".")[-1]
            np.testing.assert_allclose(answer, expected[key], atol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        answers["tf1.saliency.gradient"], answers["tf2.saliency.gradient"], atol=1e-6
    )


def test_saliency_is_the_gradient_of_the_logit(exported: Path, signal: np.ndarray) -> None:
    signatures = tf.saved_model.load(str(exported)).signatures
    signal = signal + 2  # log1p bends less away from zero
    gradient = signatures["saliency"](signal=tf.constant(signal))["gradient"].numpy()

    def logit(signal: np.ndarray) -> np.ndarray:
        probability = signatures["predict"](signal=tf.constant(signal))["probability"].numpy()
        return np.log(probability.astype(np.float64) / (1 - probability.astype(np.float64)))

    step = np.zeros_like(signal)
    step[:, 5, 3] = 0.25
    measured = (logit(signal + step) - logit(signal - step)) / 0.5
    np.testing.assert_allclose(gradient[:, 5, 3], measured, rtol=0.05, atol=1e-5)
    assert np.abs(gradient[:, 5, 3]).min() > 1e-4


def test_holds_the_weights_and_no_keras_object(exported: Path, model: keras.Model) -> None:
    names = [name for name, _ in tf.train.list_variables(str(exported / "variables/variables"))]
    assert len([n for n in names if n.startswith("weights/")]) == len(model.trainable_variables)
    (meta_graph,) = read_graphs(exported).meta_graphs
    objects = {
        node.user_object.identifier
        for node in meta_graph.object_graph_def.nodes
        if node.HasField("user_object")
    }
    assert objects <= {"_generic_user_object", "trackable_list_wrapper", "signature_map"}


def test_warmup_asks_every_signature_and_is_answered(exported: Path, model: keras.Model) -> None:
    records = tf.data.TFRecordDataset(str(exported / "assets.extra/tf_serving_warmup_requests"))
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in records.as_numpy_iterator()
    ]
    assert {r.model_spec.signature_name for r in requests} == SIGNATURES
    assert {r.model_spec.name for r in requests} == {"tiny"}
    signatures = tf.saved_model.load(str(exported)).signatures
    for request in requests:
        name = request.model_spec.signature_name
        ((key, tensor),) = request.inputs.items()
        value = tf.make_ndarray(tensor)
        answer = signatures[name](**{key: tf.constant(value)})
        if name == "describe":
            assert (key, value.shape, answer["description"].shape) == ("query", (1,), (1,))
        else:
            assert (key, value.shape) == ("signal", (1, 8, 5))
            expected = model(value, training=False)["probability"]
            np.testing.assert_allclose(answer["probability"], expected, atol=1e-5)


def test_refuses_a_graph_that_needs_xla(tmp_path: Path) -> None:
    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, jit_compile=True)
    signature = module.double.get_concrete_function(tf.TensorSpec((None,), tf.float32))
    tf.saved_model.save(module, str(tmp_path), signature)
    with pytest.raises(ExportError, match="Received: _XlaMustCompile of"):
        check_operations(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "received"),
    [
        ("op", "CudnnRNNV3", "CudnnRNNV3"),
        ("op", "XlaLaunch", "XlaLaunch"),  # which has a kernel for the CPU
        ("op", "ReadFile", "ReadFile"),  # which a server refuses
        ("op", "NoSuchOperation", "NoSuchOperation"),
        ("device", "/device:GPU:0", "device /device:GPU:0"),
    ],
)
def test_refuses_a_graph_that_needs_a_gpu(
    exported: Path, tmp_path: Path, field: str, value: str, received: str
) -> None:
    check_operations(exported)
    saved_model = read_graphs(exported)
    function = saved_model.meta_graphs[0].graph_def.library.function[3]
    setattr(function.node_def[0], field, value)
    (tmp_path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    with pytest.raises(ExportError, match=f"on a CPU. Received: {received}. Build"):
        check_operations(tmp_path)


def test_refuses_a_saved_model_with_other_weights(
    exported: Path, model: keras.Model, signal: np.ndarray, process: FreshProcess
) -> None:
    description = (exported / "assets" / "keras_chrome.json").read_text()
    inputs = {"signal": signal, "query": np.zeros(len(signal), np.float32)}
    answers = process.answers(exported, inputs)
    differences = check_parity(model, signal, description, answers)
    assert max(differences.values()) <= 1e-5
    assert set(differences) == {
        *(f"serving_default.{key}" for key in ("probability", "alpha", "beta")),
        *("predict.probability", "saliency.gradient", "saliency.probability"),
    }
    with pytest.raises(ExportError, match="Expected the description"):
        check_parity(model, signal, "{}", answers)
    for name in ("serving_default.beta.1", "saliency.gradient.7"):
        lacking = {key: value for key, value in answers.items() if key != name}
        with pytest.raises(ExportError, match=r"Received: \w+\.\w+ of shape \(\), difference nan"):
            check_parity(model, signal, description, lacking)
    other = keras.models.clone_model(model)
    other.set_weights([w + 0.01 for w in model.get_weights()])
    with pytest.raises(ExportError, match=r"Received: serving_default\.\w+ of shape"):
        check_parity(other, signal, description, answers)


def test_a_refused_model_leaves_nothing(
    cnn_run: Run, process: FreshProcess, tmp_path: Path
) -> None:
    shutil.copytree(cnn_run.path, tmp_path / "run")
    broken = cnn_run.load_model()
    broken.set_weights([np.full_like(w, np.nan) for w in broken.get_weights()])
    Run(tmp_path / "run", cnn_run.config).save_model(broken)
    with pytest.raises(ExportError, match=r"difference nan\. Are the weights"):
        models_dir = tmp_path / "new" / "models"
        export_runs([tmp_path / "run"], models_dir, "tiny", fresh_process=process)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-x", "a b"])
def test_refuses_a_name_that_is_no_folder(run: Run, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="Expected a name of letters"):
        export_run(run.path, tmp_path / "models", name)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("version", [0, 6, 7])
def test_refuses_a_version_that_cannot_be_had(run: Run, exported: Path, version: int) -> None:
    models_dir = exported.parent.parent
    with pytest.raises(InputError, match=f"version={version}. Take 8, or leave"):
        export_run(run.path, models_dir, "tiny", version)
    assert {p.name for p in models_dir.iterdir() if p.is_dir()} == {"tiny"}


def test_command_refuses_a_missing_run_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "export", tmp_path / "none"]
    answer = subprocess.run(
        [*command, "--to", tmp_path / "models", "--name", "x"], capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: Expected a run directory")
    assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_models_folder_that_is_a_file(cnn_run: Run, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(InputError, match="Expected a folder of models that can be written"):
        main([str(cnn_run.path), "--to", str(tmp_path / "models"), "--name", "tiny"])


def test_a_server_that_watches_the_folder_sees_whole_versions_alone(
    cnn_run: Run, process: FreshProcess, tmp_path: Path
) -> None:
    versions_dir = tmp_path / "models" / "tiny"
    (versions_dir / "notes").mkdir(parents=True)
    is_done = threading.Event()
    seen: list[frozenset[str]] = []

    def watch() -> None:
        is_last = False
        while not is_last:
            is_last = is_done.is_set()
            versions = [path for path in versions_dir.iterdir() if path.name.isdecimal()]
            seen.append(frozenset().union(*map(files_of, versions)))
            if versions:
                assert read_graphs(versions[0]).meta_graphs
            time.sleep(0.001)

    with ThreadPoolExecutor() as pool:
        watching = pool.submit(watch)
        export_runs([cnn_run.path], tmp_path / "models", "tiny", fresh_process=process)
        is_done.set()
        watching.result()
    assert set(seen) == {frozenset(), frozenset(FILES)}
    assert len(seen) > 50


def test_a_models_config_spoilt_meanwhile_refuses_the_export(
    cnn_run: Run, process: FreshProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models_dir = tmp_path / "models"
    answers = process.answers

    def meanwhile(*args: Any) -> dict[str, np.ndarray]:
        (models_dir / "models.config").write_text("{")
        return answers(*args)

    monkeypatch.setattr(process, "answers", meanwhile)
    with pytest.raises(InputError, match="Expected a list of models"):
        export_runs([cnn_run.path], models_dir, "tiny", fresh_process=process)
    assert {p.name for p in models_dir.iterdir()} == {"models.config", ".models.config.lock"}
    assert (models_dir / "models.config").read_text() == "{"


def test_refuses_a_full_disk_and_leaves_nothing(cnn_run: Run, tmp_path: Path) -> None:
    """A limit on the size of a file stands for the full disk: writing fails half-way too."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signals.signal(signals.SIGXFSZ, signals.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(InputError, match="Expected room for the model"):
            export_run(cnn_run.path, tmp_path / "models", "tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signals.signal(signals.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_tensorflow() -> None:
    code = "import sys, export.__main__; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
