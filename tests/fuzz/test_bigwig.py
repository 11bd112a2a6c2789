import tempfile
from pathlib import Path

import numpy as np
import pybigtools
from harness import Outcome, check, damaged, fuzz

from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.reads import read_signal

BINS = RegionBins(np.array(["chr1", "chr2"]), np.array([0, 1000]), num_bins=10)
SIZES = {"chr1": 20_000, "chr2": 20_000}


def whole() -> bytes:
    values = [
        (c, start, start + 50, start % 7 + 0.5) for c in SIZES for start in range(0, 9000, 70)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.bw")
        pybigtools.open(str(path), "w").write(SIZES, iter(values))
        return path.read_bytes()


def read(path: Path) -> object:
    return read_signal(path, BINS)


@fuzz(damaged(whole()), examples=40)
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.bw"
    path.write_bytes(content)
    return check(read, path)
