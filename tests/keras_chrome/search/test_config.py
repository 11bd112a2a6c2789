"""What a search is told, in Python and on the command line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig
from keras_chrome.search import SearchConfig
from keras_chrome.search.__main__ import main


def config(**options: Any) -> SearchConfig:
    return SearchConfig(**{"dataset": "remc/E012", "out_dir": "searches/a", **options})


def test_options_of_fit_are_those_of_every_trial() -> None:
    found = config(model="deep-chrome", seeds=[3, 4], fit_options={"epochs": 5})
    assert found.fit_config("run", mixup=0.2) == FitConfig(
        dataset="remc/E012", run_dir="run", model="deep_chrome", seed=3, epochs=5, mixup=0.2
    )


def test_words_are_understood_in_other_spellings() -> None:
    assert config(vary=("learning-rate",)).vary == ("learning_rate",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gradient_boosting"}, "'gradient_boosting', a baseline, which has none$"),
        ({"trials": 0}, "trials=0"),
        ({"hours": 0}, "hours=0"),
        ({"hours": float("nan")}, "hours=nan"),
        ({"seed": -1}, "seed of 0 or more.*-1"),
        ({"seeds": ()}, r"seeds=\(\)"),
        ({"seeds": (1, 1)}, r"seeds=\(1, 1\)"),
        ({"vary": ("patience",)}, r"among learning_rate, .*vary=\['patience'\]"),
        ({"vary": ("epochs",), "fit_options": {"epochs": 3}}, "Received: epochs as both"),
        ({"fit_options": {"seed": 0, "run_dir": "a"}}, "Received: run_dir, seed"),
        ({"fit_options": {"permute_labels": True}}, "Received: permute_labels"),
        ({"fit_options": {"epochs": 0}}, "epochs=0"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**options)


def test_a_baseline_is_refused_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a variant, which has options to search"):
        main(["--dataset", "remc/E012", "--model", "svm", "--out-dir", str(tmp_path)])


def in_a_fresh_process(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_help_imports_no_optuna() -> None:
    answer = in_a_fresh_process(
        "import sys; from keras_chrome.search.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: sys.exit('optuna' in sys.modules or 'tensorflow' in sys.modules)"
    )
    assert answer.returncode == 0, answer.stderr
    assert "--trials" in answer.stdout


def test_a_missing_optuna_is_told_by_its_extra(tmp_path: Path) -> None:
    arguments = ["--dataset", "remc/none", "--out-dir", str(tmp_path / "search")]
    answer = in_a_fresh_process(
        f"import sys; sys.modules['optuna'] = None; sys.argv[1:] = {arguments}\n"
        "from keras_chrome.command_line import run_command\n"
        "from keras_chrome.search.__main__ import InputError, main\n"
        "run_command(main, InputError)"
    )
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: Expected the extra search. Received: no module optuna. Install it: "
        "pip install 'keras-chrome[search]'\n"
    )
