from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from tfds_remc import RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc import simulation


def test_demo_is_the_simulation(tmp_path: Path) -> None:
    config = RemcConfig(
        name="small", source="simulated", marks=simulation.MARKS, num_genes=30, seed=7
    )
    builder = build(config, data_dir=tmp_path / "data")
    simulated = simulation.simulate(30, seed=7)
    assert builder.info.features["signal"].shape == (100, 6)
    num_examples = 0
    for split in ("train", "valid", "test"):
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            (row,) = np.flatnonzero(simulated.gene_id == example["gene_id"].decode())
            assert simulated.split[row] == split
            np.testing.assert_array_equal(example["signal"], simulated.signal[row])
            np.testing.assert_array_equal(example["planted"], simulated.planted[row])
            assert example["label"] == (simulated.rpkm[row] > np.median(simulated.rpkm))
            assert example["label_published"] == -1
            assert not example["oriented"]
            num_examples += 1
    assert num_examples == 30
    metadata = builder.info.metadata
    assert (metadata["genome"], metadata["seed"]) == ("simulated", 7)
    assert metadata["marks"] == ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3", "H3K27ac"]
    ends = {
        chrom: max(simulated.tss[simulated.chrom == chrom].tolist()) + 5000
        for chrom in simulated.chrom.tolist()
    }
    assert metadata["chromosome_sizes"] == ends


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    config = RemcConfig(name="small", source="simulated", num_genes=300)
    records = []
    for data_dir in (tmp_path / "first", tmp_path / "second"):
        builder = build(config, data_dir=data_dir)
        assert sum(split.num_examples for split in builder.info.splits.values()) == 300
        records.append(
            {path.name: path.read_bytes() for path in Path(builder.data_dir).glob("*.tfrecord*")}
        )
    assert len(records[0]) == 3
    assert records[0] == records[1]
