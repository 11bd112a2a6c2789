"""The Snakemake workflow: what it would do, and on simulated genes what it does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

WORKFLOW = Path(__file__).parents[1] / "workflow"
# They need plugins that talk to a cluster.
PLUGIN_OPTIONS = ("executor", "kubernetes-", "default-storage-")


def snakemake_command(*arguments: str | Path) -> list[str]:
    snakefile = str(WORKFLOW / "Snakefile")
    return [sys.executable, "-m", "snakemake", "--snakefile", snakefile, *map(str, arguments)]


def snakemake(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        snakemake_command(*arguments),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def job_counts(output: str) -> dict[str, int]:
    """The counts of the table `Job stats`."""
    lines = output.partition("Job stats:")[2].strip().splitlines()[2:]
    rows = (line.split() for line in lines[: lines.index("")])
    return {rule: int(count) for rule, count in rows}


def test_default_is_every_epigenome_and_variant(tmp_path: Path) -> None:
    answer = snakemake(tmp_path, "--dry-run")
    assert answer.returncode == 0, answer.stdout
    counts = {"build": 56, "fit": 56 * 7, "leaderboard": 1, "all": 1}
    assert job_counts(answer.stdout) == {**counts, "total": sum(counts.values())}


@pytest.mark.parametrize("name", ["local", "slurm", "kubernetes"])
def test_profiles_hold_options_of_snakemake(tmp_path: Path, name: str) -> None:
    options = yaml.safe_load((WORKFLOW / "profiles" / name / "config.yaml").read_text())
    options = {k: v for k, v in options.items() if not k.startswith(PLUGIN_OPTIONS)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(options))
    answer = snakemake(
        tmp_path, "--dry-run", "--profile", tmp_path, "--config", "epigenomes=[Toy]", "seeds=[0,1]"
    )
    assert answer.returncode == 0, answer.stdout
    assert job_counts(answer.stdout)["fit"] == 14


def test_an_unknown_model_is_named_before_anything_starts(tmp_path: Path) -> None:
    answer = snakemake(tmp_path, "--dry-run", "--config", "models=[deep]")
    assert answer.returncode == 1
    assert "'attentive_chrome'" in answer.stdout
    assert "Received: model='deep'" in answer.stdout


@pytest.mark.slow
def test_a_killed_workflow_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    arguments = [
        *("--profile", WORKFLOW / "profiles" / "local"),
        *("--config", "epigenomes=[demo]", "models=[attentive_chrome]", "fit_options=--epochs 3"),
    ]
    out_dir = tmp_path / "sweeps" / "workflow"
    name = "median/demo/attentive_chrome/seed-0"
    with (tmp_path / "output").open("w") as output:
        broken = subprocess.Popen(
            snakemake_command(*arguments),
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not (out_dir / "runs" / name / "checkpoints" / "last.npz").exists():
        assert broken.poll() is None, (tmp_path / "output").read_text()
        time.sleep(0.05)
    os.killpg(broken.pid, signal.SIGKILL)
    broken.wait()
    assert not (out_dir / "runs" / name / "metrics.json").exists()

    assert snakemake(tmp_path, *arguments, "--unlock").returncode == 0
    answer = snakemake(tmp_path, *arguments)
    assert answer.returncode == 0, answer.stdout
    assert "resuming after epoch" in (out_dir / "logs" / f"{name}.log").read_text()
    (row,) = pd.read_csv(out_dir / "leaderboard.csv").to_dict("records")
    assert row["model"] == "attentive_chrome"
    assert row["mean"] > 0.8
    assert "Nothing to be done" in snakemake(tmp_path, *arguments).stdout
