import subprocess
import sys
import threading
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from export import export_runs, read_models_config, write_models_config
from export.__main__ import main
from export.fresh_process import FreshProcess
from keras_chrome import InputError
from keras_chrome.runs import Run


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    add(tmp_path, "e012", 1)
    return tmp_path


def add(models_dir: Path, name: str, version: int) -> Path:
    """What `write_models_config` looks for; it does not load it."""
    model_dir = models_dir / name / str(version)
    model_dir.mkdir(parents=True)
    (model_dir / "saved_model.pb").touch()
    return model_dir


def remove(model_dir: Path) -> None:
    (model_dir / "saved_model.pb").unlink()
    model_dir.rmdir()


def test_writes_the_text_that_tensorflow_serving_reads(models_dir: Path) -> None:
    add(models_dir, "e003", 4)
    write_models_config(models_dir)
    add(models_dir, "e012", 2)
    write_models_config(models_dir, {"e012": {"canary": 2}})
    text = (models_dir / "models.config").read_text()
    comments, _, rest = text.partition("model_config_list")
    assert all(line.startswith("#") for line in comments.splitlines())
    assert (
        "model_config_list" + rest
        == """\
model_config_list {
  config {
    name: "e003"
    base_path: "/models/e003"
    model_platform: "tensorflow"
    model_version_policy {
      all {
      }
    }
    version_labels {
      key: "stable"
      value: 4
    }
  }
  config {
    name: "e012"
    base_path: "/models/e012"
    model_platform: "tensorflow"
    model_version_policy {
      all {
      }
    }
    version_labels {
      key: "canary"
      value: 2
    }
    version_labels {
      key: "stable"
      value: 1
    }
  }
}
"""
    )
    assert text_format.Parse(text, ModelServerConfig()) == read_models_config(models_dir)


def test_labels_from_the_first_version_to_a_rollback(models_dir: Path) -> None:
    def move(**labels: int) -> dict[str, int]:
        return write_models_config(models_dir, {"e012": labels})["e012"]

    assert move(canary=1) == {"stable": 1}
    add(models_dir, "e012", 2)
    assert move() == {"stable": 1}
    assert move(canary=2) == {"stable": 1, "canary": 2}
    add(models_dir, "e012", 3)
    assert move(canary=3) == {"stable": 1, "canary": 3}
    assert move(stable=3) == {"stable": 3}
    assert move(canary=1) == {"stable": 3, "canary": 1}
    assert move(stable=1) == {"stable": 1}
    assert move(stable=2) == {"stable": 2}
    assert move(canary=3) == {"stable": 2, "canary": 3}
    assert move(stable=1) == {"stable": 1, "canary": 3}
    assert move(canary=1) == {"stable": 1}


def test_exports_become_canary_unless_they_are_to_be_stable(
    make_run: Callable[..., Run], process: FreshProcess, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", "cnn_attn")
    models_dir = tmp_path / "models"
    for stable, expected in (
        (False, {"stable": 1}),
        (False, {"stable": 1, "canary": 2}),
        (False, {"stable": 1, "canary": 3}),
        (True, {"stable": 4, "canary": 3}),
    ):
        export_runs([run.path], models_dir, "cnn", stable=stable, fresh_process=process)
        assert write_models_config(models_dir) == {"cnn": expected}


def test_command_moves_a_label(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(models_dir, "e012", 2)
    write_models_config(models_dir, {"e012": {"stable": 1, "canary": 2}})
    command = ["--to", str(models_dir), "--name", "e012"]
    main([*command, "--label", "stable=2", "--base-path", "/srv"])
    assert capsys.readouterr().out == "e012: stable 2\n"
    main(["--models-dir", *command[1:], "--label", "canary=1"])
    assert capsys.readouterr().out == "e012: canary 1, stable 2\n"
    (entry,) = read_models_config(models_dir).model_config_list.config
    assert entry.base_path == "/srv/e012"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "run directories, --all or --label. Received: none of them"),
        (("run",), "Received: none; add --name"),
        (("--label", "stable=1"), "Received: none; add --name"),
        (
            ("--label", "stable", "--name", "x"),
            "Expected a version, as stable=3. Received: label=.stable.",
        ),
        (
            ("--label", "stable=1", "--name", "x", "--stable"),
            "neither --version nor --stable with --label",
        ),
        (("--all", "runs", "--name", "x"), "neither --name nor --version with --all"),
        (("run", "--all", "runs"), "Received: runs and all"),
    ],
)
def test_command_refuses_options_that_do_not_go_together(
    arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        main(["--to", "models", *arguments])


def test_names_models_from_before_there_was_a_models_config(models_dir: Path) -> None:
    """A server without one serves the highest version, so that is the stable one."""
    for version in (2, 10):
        add(models_dir, "e012", version)
    (models_dir / "e012" / "notes").mkdir()
    (models_dir / "e012" / "11").mkdir()  # holds no SavedModel
    add(models_dir, ".e012-export-under-way", 12)
    assert write_models_config(models_dir) == {"e012": {"stable": 10}}
    (models_dir / "models.config").unlink()
    add(models_dir, "e012", 12)
    assert write_models_config(models_dir, {"e012": {"canary": 12}}) == {
        "e012": {"stable": 10, "canary": 12}
    }


def test_says_what_is_gone(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = add(models_dir, "e003", 1)
    add(models_dir, "e012", 2)
    write_models_config(models_dir, {"e012": {"canary": 2}})
    remove(gone)
    remove(models_dir / "e012" / "1")
    capsys.readouterr()
    assert write_models_config(models_dir) == {"e012": {"stable": 2}}
    assert capsys.readouterr().out.splitlines() == [
        f"{models_dir}/models.config: e003 dropped, no version of it is left",
        f"{models_dir}/models.config: e012 1 is gone, which was stable",
    ]


def test_keeps_what_else_was_written_by_hand(models_dir: Path) -> None:
    add(models_dir, "e012", 2)
    (models_dir / "models.config").write_text("""
        model_config_list { config {
            name: "e012" base_path: "gs://bucket/e012" model_version_policy { latest {} }
            version_labels { key: "paper" value: 2 } version_labels { key: "stable" value: 1 }
            logging_config { sampling_config { sampling_rate: 0.5 } }
        } }
    """)
    add(models_dir, "e003", 1)
    labels = write_models_config(models_dir)
    assert labels == {"e003": {"stable": 1}, "e012": {"paper": 2, "stable": 1}}
    e003, e012 = read_models_config(models_dir).model_config_list.config
    assert (e003.base_path, e012.base_path) == ("gs://bucket/e003", "gs://bucket/e012")
    assert e012.logging_config.sampling_config.sampling_rate == 0.5
    assert e012.model_version_policy.WhichOneof("policy_choice") == "all"


@pytest.mark.parametrize(
    "text",
    [
        "model_config_list {",
        "models: 3",
        "custom_model_config {}",
        'model_config_list { config { name: "a" } config { name: "a" } }',
        "\udcff",
    ],
)
def test_never_overwrites_a_file_that_it_cannot_read(
    models_dir: Path, tmp_path: Path, text: str
) -> None:
    path = models_dir / "models.config"
    path.write_text(text, errors="surrogateescape")
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"Received: {path} .*Mend it, or take it away"):
        write_models_config(models_dir)
    with pytest.raises(InputError, match="Expected a list of models"):
        export_runs([tmp_path / "run"], models_dir, "e012")
    assert path.read_bytes() == before
    assert {p.name for p in models_dir.iterdir()} == {
        "e012",
        "models.config",
        ".models.config.lock",
    }


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"e003": {"stable": 1}}, r"Expected a model in .* \(e012\). Received: name='e003'"),
        ({"e012": {"stable": 3}}, r"Expected a version of e012 \(1\). Received: stable=3"),
        ({"e012": {"latest": 1}}, r"Expected one of .*'stable'.* Received: label='latest'"),
    ],
)
def test_refuses_a_label_that_cannot_be_moved(
    models_dir: Path, labels: dict[str, dict[str, int]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_models_config(models_dir, labels)
    assert not (models_dir / "models.config").exists()


def test_refuses_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected a folder of served models. Received: .*/none"):
        write_models_config(tmp_path / "none")


def test_waits_for_another_export_and_keeps_what_it_wrote(models_dir: Path) -> None:
    add(models_dir, "e012", 2)
    add(models_dir, "e003", 1)
    write_models_config(models_dir)
    add(models_dir, "e003", 2)
    path = models_dir / "models.config"
    with (models_dir / ".models.config.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        other = threading.Thread(
            target=write_models_config, args=(models_dir, {"e003": {"canary": 2}})
        )
        other.start()
        other.join(0.3)
        assert other.is_alive()
        # What the other must read only now: a label, in the place of one that it could name itself.
        path.write_text(path.read_text().replace('"stable"\n      value: 2', '"paper" value: 1'))
    other.join()
    assert write_models_config(models_dir) == {
        "e003": {"stable": 1, "canary": 2},
        "e012": {"paper": 1, "stable": 2},
    }


def test_labels_and_help_need_no_tensorflow(models_dir: Path) -> None:
    """So that they answer at once."""
    code = (
        "import sys, export.__main__; "
        f"export.__main__.main(['--to', {str(models_dir)!r}, '--name', 'e012', '--label', "
        "'stable=1']); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
