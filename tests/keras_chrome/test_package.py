"""The package as a user of Python sees it."""

import ast
import copy
import inspect
import pickle
import pydoc
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_chrome
from keras_chrome.__main__ import VERBS
from keras_chrome.models import build_model

NAMES = [verb for of_group in VERBS.values() for verb in of_group]


def in_a_fresh_process(code: str) -> str:
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_every_verb_is_a_function_of_the_package() -> None:
    assert set(NAMES) | {"InputError", "load_model"} == set(keras_chrome.__all__)
    assert set(keras_chrome.__all__) <= set(dir(keras_chrome))
    tree = ast.parse(Path(keras_chrome.__file__).read_text())
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(NAMES) <= typed


@pytest.mark.parametrize("verb", NAMES)
def test_a_verb_is_its_module_and_its_function(verb: str) -> None:
    module = getattr(keras_chrome, verb)
    function = getattr(module, verb)
    assert module is sys.modules[f"keras_chrome.{verb}"]
    assert inspect.isfunction(function)
    assert inspect.signature(module) == inspect.signature(function)
    with pytest.raises(TypeError, match=r"no_such_option|required positional"):
        module(no_such_option=1)


@pytest.mark.parametrize(
    "imports",
    [
        "from keras_chrome import attend, fit, load_model",
        "from keras_chrome.fit import FitConfig; from keras_chrome import attend, fit, load_model",
        "import keras_chrome.fit; from keras_chrome.attend import attend; fit = keras_chrome.fit; "
        "from keras_chrome import load_model",
        "from keras_chrome import fit, attend, load_model; from keras_chrome.fit import FitConfig",
        "from keras_chrome import *",
    ],
)
def test_functions_come_whatever_was_imported_before(imports: str) -> None:
    code = (
        f"{imports}\n"
        "import sys, keras_chrome, keras_chrome.fit as module\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert module.FitConfig\n"
        "calls = [lambda: attend('none'), lambda: load_model('none'),\n"
        "         lambda: fit(dataset='none', run_dir='none', data_dir='none')]\n"
        "for call in calls:\n"
        "    try: call()\n"
        "    except keras_chrome.InputError as error: print(error)\n"
    )
    lines = in_a_fresh_process(code).splitlines()
    assert [line.split(". ")[0].partition(" in ")[0] for line in lines] == [
        "Expected a run directory with config.json",
        "Expected a run directory with config.json",
        "Expected a built dataset",
    ]


def test_a_verb_can_be_sent_to_another_process_and_asked_what_it_does() -> None:
    for verb in NAMES:
        function = getattr(keras_chrome, verb)
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function
        assert inspect.getdoc(function) == inspect.getdoc(getattr(function, verb))
    assert "run.metrics[" in pydoc.render_doc(keras_chrome.fit)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        keras_chrome.train  # noqa: B018


def test_the_commands_are_what_they_were() -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help']\n"
        "runpy.run_module('keras_chrome.fit', run_name='__main__')"
    )
    assert "usage: python -m keras_chrome.fit" in in_a_fresh_process(code)


# === Keras's own compile and fit ===

MARKS = ("H3K4me3", "H3K27me3")


@pytest.fixture
def genes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 64)
    return rng.poisson(1 + 4 * label[:, None, None], (64, 10, 2)).astype(np.float32), label


def test_the_probability_of_a_model_trains_with_keras_alone(
    genes: tuple[np.ndarray, np.ndarray],
) -> None:
    signal, label = genes
    model = build_model("lstm_attn", marks=MARKS, num_bins=10)
    classifier = keras.Model(model.input, model.output["probability"])
    classifier.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["auc"])
    history = classifier.fit(signal, label, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    # The weights are the model's own.
    probability = model(signal)["probability"].numpy()
    assert classifier.evaluate(signal, label, verbose=0, return_dict=True)["auc"] > 0.9
    assert probability[label == 1].mean() > probability[label == 0].mean()


def test_metrics_by_name_take_labels_that_leave_out_the_attention(
    genes: tuple[np.ndarray, np.ndarray],
) -> None:
    signal, label = genes
    model = build_model("lstm_attn", marks=MARKS, num_bins=10)
    model.compile(
        "adam", loss={"probability": "binary_crossentropy"}, metrics={"probability": ["auc"]}
    )
    others = dict.fromkeys(set(model.output) - {"probability"})
    history = model.fit(signal, {"probability": label, **others}, verbose=0).history
    assert set(history) == {"loss", "probability_auc"}
