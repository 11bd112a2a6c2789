"""The commands as a user types them."""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import pytest

import keras_chrome
from keras_chrome import command_line
from keras_chrome.__main__ import VERBS
from keras_chrome.command_line import as_spelled, option, parse, parse_given, run_command
from keras_chrome.completion import install_completion
from keras_chrome.errors import InputError
from keras_chrome.tables import format_duration, format_number, format_table, wrapped


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True
    )


def test_table_is_aligned() -> None:
    table = format_table([{"split": "test", "auroc": 0.5}, {"split": "x", "auroc": [0.25, 1.0]}])
    assert table.splitlines() == [
        "split          auroc",
        "test          0.5000",
        "x      0.2500-1.0000",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (1.26, "1.26"),
        (15.7, "15.7"),
        (1574, "1,574"),
        (123456, "123,456"),
        (1e-5, "1e-05"),
        (0.1 + 0.2, "0.3"),
        (100, "100"),
        (999.6, "1,000"),
        (-0.0, "0"),
        (-3.14159, "-3.14"),
        (float("nan"), "?"),
    ],
)
def test_numbers_have_three_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert format_number(value) == text


def test_times_are_said_as_people_say_them() -> None:
    times = (0.2, 8.4, 90.1, 119, 3600, 5399, 5400, 7000)
    assert [format_duration(seconds) for seconds in times] == [
        *("1 s", "9 s", "2 min", "2 min", "60 min", "1 h 30 min", "1 h 30 min", "1 h 57 min"),
    ]


def test_a_table_that_is_too_wide_goes_on_below() -> None:
    row = {"mark": "H3K4me3", **{f"a column of number {i}": i / 7 for i in range(8)}}
    first, second = (block.splitlines() for block in format_table([row] * 2).split("\n\n"))
    assert first[0] == "  ".join(["mark   ", *list(row)[1:5]])
    assert second[0] == "  ".join(["mark   ", *list(row)[5:]])
    assert second[1].split() == ["H3K4me3", "0.5714", "0.7143", "0.8571", "1.0000"]
    assert max(map(len, [*first, *second])) <= 100
    # A column that is too wide by itself is not lost.
    wide = format_table([{"run": "x" * 120, "auroc": 0.5, "auprc": 0.25}]).split("\n\n")
    assert [block.split()[-1] for block in wide] == ["0.5000", "0.2500"]


def test_what_has_no_space_stays_whole() -> None:
    path = "/data/" + 40 * "x-" + "/run"
    assert path in wrapped(f"some words before {path}, and some after").replace("\n", " ")
    assert [len(line) for line in wrapped("word " * 30).splitlines()] == [99, 49]


@pytest.mark.parametrize("verb", sorted(verb for verbs in VERBS.values() for verb in verbs))
def test_help_imports_no_tensorflow_and_fits_a_terminal(verb: str) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help']\n"
        f"try: runpy.run_module('keras_chrome.{verb}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: sys.exit('tensorflow' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert answer.returncode == 0
    assert "usage: python -m keras_chrome" in answer.stdout
    assert [line for line in answer.stdout.splitlines() if len(line) > 100] == []


def run_and_report_imports(*arguments: str | Path) -> tuple[int, str, set[str]]:
    """Exit code and standard error of a command, and the packages that it has imported."""
    module, *rest = map(str, arguments)
    code = (
        f"import runpy, sys; sys.argv[1:] = {rest}\n"
        f"try: runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: print(end.code, *sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    exit_code, *imported = answer.stdout.splitlines()[-1].split()
    return int(exit_code), answer.stderr, set(imported)


def run_and_report_tensorflow(*arguments: str | Path) -> tuple[int, str, bool]:
    """Likewise, and whether it has imported TensorFlow."""
    exit_code, error, imported = run_and_report_imports(*arguments)
    return exit_code, error, "tensorflow" in imported


FAST = ("--model", "cnn_alpha_beta", "--epochs", "1")
NEEDS_RUN = {
    "keras_chrome.evaluate": (),
    "keras_chrome.attend": (),
    "keras_chrome.explain": (),
    "keras_chrome.compare": (),
    "keras_chrome.contrast": ("other",),
    "keras_chrome.perturb": ("--scale", "0"),
    "keras_chrome.beta_map": ("--gene", "PAX5"),
    "keras_chrome.alpha_profile": (),
    "keras_chrome.alpha_coverage": (),
    "keras_chrome.tracks": (),
    "keras_chrome.report": ("--out", "report.html"),
    "keras_chrome.faithfulness": (),
    "keras_chrome.leaderboard": (),
    "export": ("--to", "models", "--name", "e012"),
}


def test_every_verb_that_reads_a_run_is_tried() -> None:
    verbs = {verb for group in ("Compare", "Explain") for verb in VERBS[group]} | {"report"}
    verbs |= {"tracks"}
    assert {name.removeprefix("keras_chrome.") for name in NEEDS_RUN} == verbs | {"export"}


@pytest.mark.parametrize("module", NEEDS_RUN)
def test_a_missing_run_is_told_before_tensorflow_is_imported(module: str, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    answer = run_and_report_tensorflow(module, missing, *NEEDS_RUN[module])
    exit_code, error, has_imported = answer
    assert (exit_code, has_imported) == (2, False)
    assert error.startswith("error: Expected a run directory")
    assert str(missing) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--dataset", "E099", "--run-dir", "run"), "dataset='E099'"),
        (("--dataset", "small", "--run-dir", "run", "--marks", "H9"), "marks=H9"),
        (("--dataset", "small", "--run-dir", "{run}"), "which holds a run"),
    ],
)
def test_fit_tells_before_tensorflow_is_imported(
    options: Sequence[str], named: str, data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").touch()
    given = [option.format(run=tmp_path) for option in options]
    answer = run_and_report_tensorflow("keras_chrome.fit", "--data-dir", data_dir, *given)
    assert (answer[0], answer[2]) == (2, False)
    assert named in answer[1]


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (("attend", "{run}", "--plot", "{gene}"), {"jax", "scipy", "sklearn"}),
        (("evaluate", "{run}", "--out", "{out}"), {"jax", "matplotlib"}),
        (
            ("fit", "--dataset", "small", "--data-dir", "{data}", "--run-dir", "{out}", *FAST),
            {"jax", "matplotlib"},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_a_command_does_not_need_is_not_imported(
    arguments: Sequence[str], unneeded: set[str], data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    gene = keras_chrome.attend(cnn_run_path)["gene"].values[0]
    places = {"data": data_dir, "run": cnn_run_path, "gene": gene, "out": tmp_path / "out"}
    verb, *rest = (argument.format(**places) for argument in arguments)
    exit_code, error, imported = run_and_report_imports(f"keras_chrome.{verb}", *rest)
    assert (exit_code, error) == (0, "")
    assert {"tensorflow", "keras", "pandas"} <= imported
    assert not imported & unneeded


@pytest.mark.parametrize("first", ["tensorflow", "keras"])
def test_what_tensorflow_goes_without_is_there_for_others(first: str) -> None:
    code = (
        "import sys\n"
        "from keras_chrome.command_line import quieten_tensorflow\n"
        "quieten_tensorflow()\n"
        f"import {first}\n"
        "assert not {'jax', 'matplotlib', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "import pandas, sklearn, matplotlib.pyplot\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_tensorflow_is_imported_without_its_lines(tmp_path: Path) -> None:
    code = (
        "import importlib.util, os, sys\n"
        "from keras_chrome.command_line import quieten_tensorflow\n"
        "quieten_tensorflow()\n"
        "assert 'tensorflow' not in sys.modules\n"
        # TFDS asks first whether it is there.
        "importlib.util.find_spec('tensorflow')\n"
        "import tensorflow\n"
        "os.write(2, b'this is heard')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=users_environment()
    )
    assert (answer.returncode, answer.stderr) == (0, "this is heard")


def users_environment() -> dict[str, str]:
    """The environment without what the tests set to keep TensorFlow quiet."""
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "--dataset", "small", "--data-dir", "{data}", "--run-dir", "{out}", *FAST),
        ("evaluate", "{run}"),
        ("attend", "{run}", "--out", "{out}.nc"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_that_is_well_says_nothing_on_standard_error(
    arguments: Sequence[str], data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    places = {"data": data_dir, "run": cnn_run_path, "out": tmp_path / "out"}
    verb, *rest = (argument.format(**places) for argument in arguments)
    answer = subprocess.run(
        [sys.executable, "-m", f"keras_chrome.{verb}", *rest],
        capture_output=True,
        text=True,
        env=users_environment(),
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "INFO" not in answer.stdout


COMMANDS = [
    "keras_chrome",
    *(f"keras_chrome.{verb}" for of_group in VERBS.values() for verb in of_group),
    *("tfds_remc", "export", "serving.client", "serving.local", "serving.web"),
]


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_knows_its_version(module: str) -> None:
    answer = command(module, "--version")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"keras-chrome {version('keras-chrome')}\n"


def test_a_version_of_its_own_leaves_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Versioned:
        name: str = option("name")
        version: int = option("its version", default=1)

    def versioned(*argv: str) -> Versioned:
        return parse(Versioned, argv, prog="command", description="")

    assert versioned("--name", "a", "--version", "3") == Versioned("a", 3)
    with pytest.raises(SystemExit, match="0"):
        versioned("--version")
    assert capsys.readouterr().out.startswith("keras-chrome 0.")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("help",), "usage: keras-chrome VERB"),
        (("help", "fit"), "usage: python -m keras_chrome.fit"),
        (("help", "import-weights"), "usage: python -m keras_chrome.import_weights"),
        (("FIT", "--help"), "usage: python -m keras_chrome.fit"),
    ],
)
def test_help_of_a_verb(given: Sequence[str], expected: str) -> None:
    answer = command("keras_chrome", *given)
    assert answer.returncode == 0
    assert answer.stdout.startswith(expected)


def test_help_of_an_unknown_verb() -> None:
    answer = command("keras_chrome", "help", "train")
    assert answer.returncode == 2
    assert "verb='train'" in answer.stderr


@pytest.mark.parametrize("unit", ["tpm", "TPM", "Tpm"])
def test_a_word_is_understood_in_any_capitals(unit: str) -> None:
    assert options("run", "--unit", unit).unit == "TPM"


def test_words_that_are_alike_are_told_apart() -> None:
    assert as_spelled("deep-Chrome", ["deep_chrome", "lstm"]) == "deep_chrome"
    assert as_spelled("A", ["a", "A"]) == "A"
    assert as_spelled("a_B", ["a-b", "A_b"]) == "a_B"
    assert as_spelled("c", ["a"]) == "c"


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    answer = command("keras_chrome.evaluate", tmp_path / "nothing")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: Expected a run directory")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Expected a.\nReceived: b.\r\n", "Expected a. Received: b."),
        ("Received: \x1b[31mred\u2028\u202e\0.", r"Received: \x1b[31mred \u202e\x00."),
        ("Received: Müller's  'a  b'.", "Received: Müller's  'a  b'."),
        ("Received: \udcff.", r"Received: \udcff."),
        (
            "Expected. " + "9" * 5000 + ". Mend it.",
            f"Expected. {'9' * 590} ... {'9' * 215}. Mend it.",
        ),
    ],
)
def test_a_message_is_one_line_whatever_a_file_has_put_into_it(text: str, line: str) -> None:
    assert str(InputError(text)) == line


def test_a_long_message_is_cut_after_its_escapes_are_written() -> None:
    assert str(InputError("\0" * 2**16 + ".")) == r"\x00" * 150 + " ... " + r"\x00" * 56 + "."


def test_unwritable_run_directory(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = command(
        *("keras_chrome.fit", "--dataset", "remc/small", "--data-dir", data_dir),
        *("--run-dir", tmp_path / "file" / "run"),
    )
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "Not a directory" in answer.stderr


def test_full_disk(run_path: Path, tmp_path: Path) -> None:
    # The nearest to a full disk that needs no rights: files may not grow over 10 kB.
    answer = subprocess.run(
        [sys.executable, "-m", "keras_chrome.attend", run_path, "--out", tmp_path / "a.nc"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert str(tmp_path / "a.nc") in answer.stderr
    assert not list(tmp_path.glob("*.nc"))


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: Sequence[str] | None) -> None:
        raise ModuleNotFoundError("No module", name="tensorflow_serving.apis")

    with pytest.raises(SystemExit, match="2"):
        run_command(main)
    assert "pip install 'keras-chrome[serving]'" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    def main(argv: Sequence[str] | None) -> None:
        raise ModuleNotFoundError("No module", name="keras_chrome.nothing")

    with pytest.raises(ModuleNotFoundError):
        run_command(main)


def test_dispatcher_lists_verbs_and_knows_them() -> None:
    assert "fit" in command("keras_chrome").stdout
    answer = command("keras_chrome", "train")
    assert answer.returncode == 2
    assert "verb='train'" in answer.stderr
    assert command("keras_chrome", "import-weights", "--help").returncode == 0


@dataclass(frozen=True, kw_only=True)
class Options:
    run: Path = option("run directory", positional=True)
    more: tuple[str, ...] = option("further runs", default=(), positional=True)
    data_dir: str | Path | None = option("where datasets were built", default=None)
    dataset: str | None = option("built dataset", default=None, aliases=["dataset_dir"])
    unit: Literal["RPKM", "TPM"] = option("unit", default="RPKM", group="own data")
    seeds: tuple[int, ...] = option("seeds", default=(0, 1))
    share: float | None = option("share, 50 % or so", default=None)
    resume: bool = option("go on", default=True)
    computed: int = 7


def options(*argv: str) -> Options:
    return parse(Options, argv, prog="python -m command", description="A command.")


def test_options_become_the_fields_of_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert options("~/run") == Options(run=Path("/home/someone/run"))
    given = options(
        *("run", "a", "b", "--data-dir=~/data", "--dataset-dir", "remc/E012", "--unit", "TPM"),
        *("--seeds", "2", "3", "--share", "0.5", "--no-resume"),
    )
    assert given == Options(
        run=Path("run"),
        more=("a", "b"),
        data_dir=Path("/home/someone/data"),
        dataset="remc/E012",
        unit="TPM",
        seeds=(2, 3),
        share=0.5,
        resume=False,
    )


@pytest.mark.parametrize("argument", ["--data_dir=a_b", "--data-dir=a_b"])
def test_both_spellings_of_a_name_are_understood_and_values_left_alone(argument: str) -> None:
    assert options("run", argument).data_dir == Path("a_b")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "the following arguments are required: run"),
        (["run", "--epochs", "3"], "unrecognized arguments: --epochs 3"),
        (["run", "--unit", "FPKM"], "argument --unit: invalid choice: 'FPKM'"),
        (["run", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
        (["run", "--computed", "8"], "unrecognized arguments: --computed 8"),
    ],
)
def test_what_cannot_be_parsed_is_one_line(
    argv: Sequence[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        options(*argv)
    error = capsys.readouterr().err
    assert error.startswith(f"error: {complaint}")
    assert error.endswith("`python -m command --help` lists the options\n")
    assert error.count("\n") == 1


def test_help_has_every_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        options("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "seeds (default: 0 1)" in text
    assert "own data: --unit {RPKM,TPM} unit (default: RPKM)" in text
    assert "share, 50 % or so" in text
    assert "computed" not in text


def test_only_what_is_given_of_several_dataclasses() -> None:
    @dataclass(frozen=True)
    class Others:
        epochs: int = option("epochs", default=30)
        unit: str = option("another unit", default="")

    given = parse_given(
        *(Others, Options),
        argv=["run", "--epochs", "3"],
        prog="command",
        description="",
        leave_out=["unit"],
    )
    assert given == {"run": Path("run"), "epochs": 3}


COMPLETE = """\
PATH={bin}:$PATH
. {file}
COMP_LINE={line!r} COMP_TYPE=9
COMP_POINT=${{#COMP_LINE}}
_python_argcomplete keras-chrome
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that bash reads."""
    home = tmp_path_factory.mktemp("home")
    answer = subprocess.run(
        [sys.executable, "-m", "keras_chrome", "--install-completion"],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_DATA_HOME": str(home), "SHELL": "/usr/bin/bash"},
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    path, reads = answer.stdout.splitlines()
    assert path == f"{home}/bash-completion/completions/keras-chrome"
    assert reads == "New shells with bash-completion read it."
    return Path(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("keras-chrome al", ["alpha_profile", "alpha_coverage"]),
        ("keras-chrome help be", ["beta_map"]),
        ("keras-chrome --ins", ["--install-completion"]),
        ("keras-chrome --install-completion f", ["fish"]),
        ("keras-chrome fit --model de", ["deep_chrome"]),
        ("keras-chrome fit --data-d", ["--data-dir"]),
        ("keras-chrome import-weights --fl", ["--flank-bp"]),
        ("keras-chrome evaluate {folder}/ru", ["{folder}/runs/"]),
        ("keras-chrome nothing --", []),
    ],
)
def test_bash_completes(line: str, words: Sequence[str], completion: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    line = line.format(folder=tmp_path)
    script = COMPLETE.format(bin=Path(sys.executable).parent, file=completion, line=line)
    # Whoever imports TensorFlow for it ends at once.
    (tmp_path / "tensorflow.py").write_text("import os; os._exit(1)")
    found = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    answer = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": found},
    )
    assert [word.strip() for word in answer.stdout.split("\n") if word] == [
        word.format(folder=tmp_path) for word in words
    ]


@pytest.mark.parametrize(
    ("shell", "file"),
    [("fish", "config/fish/completions/keras-chrome.fish"), ("zsh", ".zfunc/_keras-chrome")],
)
def test_completion_of_other_shells_is_where_they_look(
    shell: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ZDOTDIR", str(tmp_path))
    path, reads = install_completion(shell).splitlines()
    assert Path(path) == tmp_path / file
    assert "keras-chrome" in Path(path).read_text()
    assert reads.startswith("New shells read it")
    if shell == "zsh":
        assert f"fpath+=({tmp_path}/.zfunc)" in reads


@pytest.mark.parametrize("shell", ["", "/bin/tcsh"])
def test_completion_of_a_shell_that_is_not_known(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", shell)
    name = Path(shell).name or "none"
    with pytest.raises(InputError, match=f"of bash, fish, zsh. Received: {name};"):
        install_completion()


@pytest.mark.parametrize("package", ["tfds_remc", "serving"])
def test_the_packages_parse_alike(package: str) -> None:
    copy = Path(command_line.__file__).parents[1] / package / "command_line.py"
    assert copy.read_text() == Path(command_line.__file__).read_text()


SIGNALLED = """\
import os, signal, sys, time
from keras_chrome.command_line import run_command
def main(argv):
    {before}
    os.kill({pid}, signal.{name})
    time.sleep(60)
run_command(main)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_is_one_line(name: str, code: int) -> None:
    answer = run_code(SIGNALLED.format(before="", pid="os.getpid()", name=name))
    assert (answer.returncode, answer.stdout) == (code, "")
    assert answer.stderr == (
        f"stopped by {name}; no file is left half-written, and the same command begins again\n"
    )


def test_a_command_says_how_it_is_gone_on_with() -> None:
    answer = run_code(
        "import os, signal\n"
        "from keras_chrome.command_line import run_command\n"
        "def main(argv):\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except KeyboardInterrupt: raise KeyboardInterrupt('--resume goes on') from None\n"
        "run_command(main)"
    )
    assert (answer.returncode, answer.stderr) == (143, "stopped by SIGTERM; --resume goes on\n")


def test_what_foreign_code_makes_of_a_signal_is_no_bug() -> None:
    answer = run_code(
        "import os, signal\n"
        "from keras_chrome.command_line import run_command\n"
        "def main(argv):\n"
        "    try: os.kill(os.getpid(), signal.SIGINT)\n"
        "    except BaseException: raise RuntimeError('of a library')\n"
        "run_command(main)"
    )
    assert (answer.returncode, answer.stderr.count("\n")) == (130, 1)


def test_a_fork_ends_without_a_line() -> None:
    before = "child = os.fork()\n    if child == 0: time.sleep(60)\n    time.sleep(1)"
    code = SIGNALLED.format(before=before, pid="child", name="SIGTERM")
    code = code.replace(
        "time.sleep(60)\nrun", "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\nrun"
    )
    answer = run_code(code)
    assert (answer.returncode, answer.stderr) == (143, "")


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (
            "OSError(28, 'No space left on device', '/a/b')",
            "Expected room to write. Received: No space left on device of /a/b. Free some, or "
            "write elsewhere",
        ),
        (
            "OSError(24, 'Too many open files', '/a/b')",
            "Expected to open a file more. Received: Too many open files of /a/b. Raise the limit: "
            "ulimit -n 1024",
        ),
        (
            "MemoryError('Unable to allocate 3 TiB')",
            "Expected memory. Received: Unable to allocate 3 TiB. Free some, or raise the limit: "
            "ulimit -v",
        ),
        ("OSError('spoilt')", "spoilt"),
    ],
)
def test_what_the_system_refuses_has_a_remedy(raised: str, line: str) -> None:
    answer = run_code(
        "from keras_chrome.command_line import run_command\n"
        f"def main(argv): raise {raised}\n"
        "run_command(main)"
    )
    assert (answer.returncode, answer.stderr) == (2, f"error: {line}\n")


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_a_command_leaves_the_signals_as_they_were() -> None:
    answer = run_code(
        "import signal\n"
        "from keras_chrome.command_line import run_command\n"
        "before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]\n"
        "try: run_command(lambda _: 3)\n"
        "except SystemExit as end: code = end.code\n"
        "print(code, before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])"
    )
    assert answer.stdout == "3 True\n"


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_lets_a_command_clear_up_and_counts_once(name: str, code: int) -> None:
    program = f"""
import os, signal, time
from keras_chrome.command_line import run_command

def main(argv):
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        print("cleared up")

run_command(main, ValueError)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, "cleared up\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"stopped by {name}; no file is left half-written")
