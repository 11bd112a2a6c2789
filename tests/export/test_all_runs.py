import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export import export_all, read_models_config
from export.__main__ import main
from keras_chrome import InputError
from keras_chrome.runs import Run, new_run


@pytest.fixture
def make_finished(make_run: Callable[..., Run]) -> Callable[..., Run]:
    def make(path: Path, **options: object) -> Run:
        run = make_run(path, **{"variant": "cnn_attn", "seed": 0, **options})
        (run.path / "metrics.json").write_text("{}")
        return run

    return make


def edit(run: Run, part: str, **values: object) -> None:
    """Change values of `config.json`, or with None take them away."""
    config = json.loads((run.path / "config.json").read_text())
    config[part] = {k: v for k, v in (config[part] | values).items() if v is not None}
    (run.path / "config.json").write_text(json.dumps(config))


def sidecar(model_dir: Path) -> dict[str, object]:
    return json.loads((model_dir / "assets" / "keras_chrome.json").read_text())


def test_exports_every_finished_run_and_counts_the_others(
    make_finished: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, models = tmp_path / "runs", tmp_path / "models"
    for epigenome in ("E003", "E012"):
        for seed in (0, 7):
            path = runs / "median" / epigenome / f"seed-{seed}"
            make_finished(path, epigenome=epigenome, seed=seed)
    (make_finished(runs / "broken-off", epigenome="E012", seed=8).path / "metrics.json").unlink()
    about = {"baseline": "svm", "marks": []}
    bins = {"num_bins": 8, "bin_bp": 100, "flank_bp": 400}
    with new_run(runs / "svm", options={"labels": "median"}, model=about, dataset=bins) as baseline:
        (baseline.path / "metrics.json").write_text("{}")
    (runs / "again").symlink_to(runs / "median")
    (runs / "median" / "round").symlink_to(runs)

    assert export_all(runs, models) == [models / "E003" / "1", models / "E012" / "1"]
    for name in ("E003", "E012"):
        about = sidecar(models / name / "1")
        assert (about["dataset"], about["seeds"]) == (f"remc/{name}", [0, 7])
    entries = read_models_config(models).model_config_list.config
    assert {e.name: dict(e.version_labels) for e in entries} == {
        "E003": {"stable": 1},
        "E012": {"stable": 1},
    }
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"{models}/E003/1", f"{models}/E012/1"]
    assert last == "exported: 2; failed: 0; left out: 1 unfinished, 1 of a baseline"


def test_names_say_in_what_the_models_differ(
    make_finished: Callable[..., Run], tmp_path: Path
) -> None:
    make_finished(tmp_path / "runs" / "a", epigenome="E012")
    make_finished(tmp_path / "runs" / "b", epigenome="E012", labels="published")
    models = tmp_path / "models"
    both = export_all(tmp_path / "runs", models)
    assert both == [models / "E012-median" / "1", models / "E012-published" / "1"]
    shutil.rmtree(tmp_path / "runs" / "b")
    make_finished(tmp_path / "runs" / "c", epigenome="E003", variant="lstm_attn", bin_units=2)
    assert [path.parent.name for path in export_all(tmp_path / "runs", models)] == [
        "E003-lstm_attn",
        "E012-cnn_attn",
    ]


def test_a_failure_does_not_lose_the_others(
    make_finished: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    make_finished(runs / "a", epigenome="E001")
    (make_finished(runs / "b", epigenome="E002").path / "model.keras").write_text("damaged")
    for dropout in (0.1, 0.5):
        run = make_finished(runs / f"dropout-{dropout}", epigenome="E003")
        edit(run, "options", dropout=dropout)
    for name in ("c", "d"):
        make_finished(runs / name, epigenome="E004")
    (make_finished(runs / "e").path / "config.json").write_text("{}")
    edit(make_finished(runs / "f"), "dataset", name=None)
    make_finished(runs / "g", epigenome="E005")

    with pytest.raises(InputError, match=r"Received: 5 that failed, .*/e, .*/f, E002, E003, E004"):
        main(["--all", str(runs), "--to", str(tmp_path / "models"), "--stable"])
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert "Expected the configuration of a run as JSON" in lines[str(runs / "e")]
    assert "Expected a run that knows its dataset" in lines[str(runs / "f")]
    assert "failed: " in lines["E002"]
    assert f"{runs}/dropout-0.1 and {runs}/dropout-0.5, which differ in dropout" in lines["E003"]
    assert f"Received: {runs}/c and {runs}/d, the same training twice" in lines["E004"]
    assert lines["exported"] == "2; failed: 5; left out: none"
    assert sorted(p.name for p in (tmp_path / "models").iterdir() if p.is_dir()) == ["E001", "E005"]


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_refuses_a_folder_without_finished_runs(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"Received: {tmp_path}/{folder}; left out: none"):
        export_all(tmp_path / folder, tmp_path / "models")
    assert not (tmp_path / "models").exists()
