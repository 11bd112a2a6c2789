"""The benchmark for a GPU, on a CPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import gpu
import gpu_worker
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

# What a machine with Keras and JAX alone lacks, with a checkout that is not installed; every Python
# started there reads it.
NOT_INSTALLED = """
import importlib.metadata
import sys

version_of = importlib.metadata.version

def version(name):
    if name == "keras-chrome":
        raise importlib.metadata.PackageNotFoundError(name)
    return version_of(name)

importlib.metadata.version = version
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder)]

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tqdm", "tensorflow", "tensorflow_datasets", "pandas", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
"""


def test_auroc_counts_a_tie_half() -> None:
    rng = np.random.default_rng(0)
    label, logit = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(np.float32)
    assert gpu_worker.auroc(label, logit) == pytest.approx(roc_auc_score(label, logit))


@pytest.mark.slow
def test_trains_with_keras_and_jax_alone(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="jax is not installed: pip install 'keras-chrome[jax]'")
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED)
    options = ["--simulated", "96", "--batch-sizes", "32", "--epochs", "2"]
    options += ["--precisions", "float32", "--implementations", "fused", "stock"]
    subprocess.run(
        [sys.executable, gpu.__file__, *options, "--out", str(tmp_path / "gpu.md")],
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        check=True,
    )
    text = (tmp_path / "gpu.md").read_text()
    assert "96 simulated genes" in text
    for side in ("fused", "stock"):
        assert re.search(rf"\| {side} \| float32 \| \d+ \| - \| .* \| 0\.\d{{4}} \|", text)
