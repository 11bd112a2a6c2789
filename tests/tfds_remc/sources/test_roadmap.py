from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfds_remc import RemcConfig
from tfds_remc.__main__ import build
from tfds_remc.remc import downloads
from tfds_remc.remc.find_files import MissingFileError

# In this order their splits are train, valid and test.
GENES = ("ENSG00000000005", "ENSG00000000419", "ENSG00000000003")


@pytest.fixture
def reads(manual_dir: Path) -> Path:
    """A manual_dir with reads of a mark and its control, and three genes of the RPKM table."""
    lines = [f"{gene}\tchr1\t{5000 * (row + 1)}\t+" for row, gene in enumerate(GENES)]
    (manual_dir / "genes.tsv").write_text("\n".join(["gene_id\tchrom\ttss\tstrand", *lines]) + "\n")
    for mark, starts in (("H3K4me3", (4910, 4920, 9990)), ("Input", (4930, 14_990))):
        (manual_dir / f"E003-{mark}.tagAlign").write_text(
            "".join(f"chr1\t{start}\t{start + 36}\tN\t1\t+\n" for start in starts)
        )
    return manual_dir


def test_reads_less_their_control(
    tmp_path: Path, reads: Path, read_examples: Callable[[Path], dict[str, dict[str, Any]]]
) -> None:
    options = {"marks": ["H3K4me3"], "flank_bp": 200, "subtract_control": True}
    config = RemcConfig(source="alignments", epigenome="E003", **options)
    builder = build(config, data_dir=tmp_path / "data", manual_dir=reads)
    genes = read_examples(tmp_path / "data" / "remc" / "E003_alignments")
    # Three reads and two of the control, each of which takes one and a half.
    signal = [genes[gene]["signal"][:, 0].tolist() for gene in GENES]
    assert signal == [[0, 0.5, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert [genes[gene]["split"] for gene in GENES] == ["train", "valid", "test"]
    assert [genes[gene]["rpkm"] for gene in GENES] == [1, 2, 0]
    assert not genes[GENES[0]]["beyond_end"].any()
    metadata = builder.info.metadata
    assert (metadata["genome"], metadata["source"]) == ("hg19", "alignments")
    assert metadata["unit"] == "RPKM"
    assert "over all genes of the RPKM table" in metadata["label_rule"]
    assert metadata["median_rpkm"] == 3.0
    assert metadata["options"] == {
        "source": "alignments",
        "epigenome": "E003",
        "marks": ["H3K4me3"],
        "bin_bp": 100,
        "flank_bp": 200,
        "seed": 0,
        "tss": "gene",
        "biotype": "protein_coding",
        "edges": "keep",
        "position": "overlap",
        "extend_bp": None,
        "fragments": False,
        "min_mapq": 0,
        "normalize": "none",
        "subtract_control": True,
    }
    files = {what: file["file"] for what, file in metadata["provenance"].items()}
    assert files == {
        "genes": "genes.tsv",
        "expression": "57epigenomes.RPKM.pc.gz",
        "H3K4me3": "E003-H3K4me3.tagAlign",
        "H3K4me3 control": "E003-Input.tagAlign",
    }


def test_a_mark_that_is_not_there(
    tmp_path: Path, reads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that nobody listens on keeps the test off the network, wherever it runs.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(downloads, "_ANSWER_WAITS_S", ())
    config = RemcConfig(source="alignments", epigenome="E003", marks=["H3K27ac"])
    with pytest.raises(MissingFileError, match=r"Put E003-H3K27ac\.tagAlign\.gz into a folder"):
        build(config, data_dir=tmp_path / "data", manual_dir=reads)
