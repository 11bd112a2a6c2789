from collections.abc import Iterator
from pathlib import Path

from harness import Outcome, check, damaged_text, fuzz

from tfds_remc.remc.bedgraph import read_bedgraph

WHOLE = b"""track type=bedGraph
chr1\t0\t10\t1.5
chr1\t10\t25\t0
chr2\t100\t300\t12
chrX\t5\t6\t3e2
"""


def read(path: Path) -> Iterator[object]:
    return read_bedgraph(path)


@fuzz(damaged_text(WHOLE))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.bedGraph"
    path.write_bytes(content)
    return check(read, path)
