"""Tracks of a run, read back as a genome browser reads them."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pybigtools
import pytest

from keras_chrome.errors import InputError
from keras_chrome.explain import explain
from keras_chrome.runs import Study, open_study
from keras_chrome.tables import WIDTH
from keras_chrome.tracks import genome_tracks as module
from keras_chrome.tracks import tracks, write_tracks
from keras_chrome.tracks.__main__ import main
from keras_chrome.tracks.layout import STRAND_UNKNOWN, WITHOUT_COORDINATES

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
BIN_BP, NUM_BINS = 500, 20

Change = Callable[..., None]


@pytest.fixture
def run_path(cnn_run_path: Path) -> Path:
    """A run of a network that compiles in no time."""
    return cnn_run_path


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Changes genes, or the dataset's metadata, behind a run's back."""

    def changed(metadata: dict[str, Any] | None = None, **columns: np.ndarray) -> None:
        def opened(*arguments: Any, **options: Any) -> Study:
            study = open_study(*arguments, **options)
            return dataclasses.replace(
                study,
                genes=dataclasses.replace(study.genes, **columns),
                dataset=dataclasses.replace(
                    study.dataset, metadata={**study.dataset.metadata, **(metadata or {})}
                ),
            )

        monkeypatch.setattr(module, "open_study", opened)

    return changed


def records(path: Path) -> list[tuple[str, int, int, float]]:
    with pybigtools.open(str(path)) as bigwig:
        return [(c, *record) for c in bigwig.chroms() for record in bigwig.records(c)]


def test_what_is_written_is_what_explain_says_of_the_nearest_gene(
    run_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_tracks(tracks(run_path, methods=["alpha"], split="all"), out)
    expected = explain(run_path, methods=["alpha"], split="all")
    chrom, tss = expected["chrom"].values, expected["tss"].values
    for name in ("alpha", "signal"):
        for mark in expected["mark"].values:
            values = expected[name].sel(mark=mark).values
            found = records(out / f"{name}.{mark}.bw")
            c, start, end, value = (
                np.array(column)[:, np.newaxis] for column in zip(*found, strict=True)
            )
            distance = np.where(chrom == c, abs((start + end) / 2 - tss), np.inf)
            gene = distance.argmin(axis=1)
            bin_ = (start[:, 0] - (tss[gene] - BIN_BP * NUM_BINS // 2)) // BIN_BP
            assert ((end - start > 0) & (end - start <= BIN_BP)).all()
            np.testing.assert_allclose(value[:, 0], values[gene, bin_], rtol=1e-4)
            assert len(found) > 0.9 * values.size


def test_bins_along_transcription_are_turned_and_those_of_unknown_strand_left_out(
    run_path: Path, tmp_path: Path, change: Change
) -> None:
    genes = open_study(run_path).genes
    strand = genes.strand.copy()
    strand[0] = ""
    change(strand=strand, oriented=np.full(len(genes), True))
    of_genes = tracks(run_path, methods=["alpha"])
    assert of_genes.left_out[STRAND_UNKNOWN] == 1
    assert of_genes.num_genes == len(genes) - 1
    write_tracks(of_genes, tmp_path / "out")
    found = {
        (c, start): value for c, start, _, value in records(tmp_path / "out/signal.H3K36me3.bw")
    }
    for strand_of_genes in ("+", "-"):
        rows = np.flatnonzero(strand == strand_of_genes)
        compared = 0
        for row in rows:
            signal = genes.signal[row, :, list(MARKS).index("H3K36me3")]
            along = signal if strand_of_genes == "+" else signal[::-1]
            start = int(genes.tss[row]) - BIN_BP * NUM_BINS // 2
            # Around the TSS no other gene is nearer.
            for bin_ in range(8, 12):
                place = (str(genes.chrom[row]), start + BIN_BP * bin_)
                if place in found:
                    assert found[place] == along[bin_]
                    compared += 1
        assert compared > 3 * len(rows)


def test_the_command_writes_what_hub_and_session_name(
    run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    marks = ["--marks", "h3k4me3", "H3K27me3"]
    main([str(run_path), *marks, "--top", "2", "--email", "me@example.org", "--out", str(out)])
    printed = capsys.readouterr().out.splitlines()
    assert printed[-3:] == [str(out), str(out / "hub.txt"), str(out / "igv_session.xml")]
    assert printed[-4] == "6 bigWig files, 9 others"
    assert re.fullmatch(r"50 genes, about \d+ s: alpha \d+ s, saliency \d+ s", printed[0])
    assert [line.partition(":")[0] for line in printed[1:3]] == ["alpha", "saliency"]
    assert printed[3].startswith("cnn_alpha_beta on remc/small, test genes: 50 genes at 50 TSSs")
    assert max(map(len, printed[:-3])) <= WIDTH
    groups = ("signal", "alpha", "saliency")
    data = {f"{g}.{m}.bw" for g in groups for m in ("H3K4me3", "H3K27me3")}
    bins = {f"{g}.top_bins.{suffix}" for g in groups[1:] for suffix in ("bed", "bb")}
    texts = {"hub.txt", "genomes.txt", "trackDb.txt", "igv_session.xml", "simulated.chrom.sizes"}
    assert {path.name for path in out.iterdir()} == data | bins | texts

    track_db = (out / "trackDb.txt").read_text()
    named = re.findall(r"bigDataUrl (\S+)", track_db)
    assert set(named) == data | {name for name in bins if name.endswith(".bb")}
    assert (out / "hub.txt").read_text().endswith("email me@example.org\n")
    session = ElementTree.parse(out / "igv_session.xml").getroot()
    resources = {resource.attrib["path"] for resource in session.iterfind("Resources/Resource")}
    assert resources == data | {name for name in bins if name.endswith(".bed")}
    # IGV has no such genome, but takes a file of sizes for one.
    assert session.attrib["genome"] == "simulated.chrom.sizes"


def test_top_bins_are_the_largest_of_each_gene_and_mark(run_path: Path) -> None:
    of_genes = tracks(run_path, methods=["alpha"], num_top=2)
    importance = explain(run_path, methods=["alpha"])["alpha"].values
    bins = of_genes.top_bins["alpha"]
    first = bins[bins["rank"] == 1]
    assert len(first) == (abs(importance).max(axis=2) > 0).sum()
    for gene_id, of_gene in first.groupby("gene_id"):
        row = list(open_study(run_path).genes.gene_id).index(gene_id)
        highest = dict(zip(MARKS, abs(importance[row]).max(axis=1), strict=True))
        for mark, value in zip(of_gene["mark"], of_gene["importance"], strict=True):
            assert abs(value) == pytest.approx(highest[mark], rel=1e-3)
        break


def test_genes_without_coordinates_are_counted(
    run_path: Path, tmp_path: Path, change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    genes = open_study(run_path).genes
    tss = genes.tss.copy()
    tss[:3] = -1
    change(tss=tss)
    main([str(run_path), "--methods", "alpha", "--out", str(tmp_path / "out")])
    assert f"genes left out: 3 {WITHOUT_COORDINATES}\n" in capsys.readouterr().out
    change(chrom=np.full(len(genes), ""))
    with pytest.raises(InputError, match="50 regions without coordinates asked for tracks"):
        main([str(run_path), "--methods", "alpha", "--out", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()


def test_sizes_and_genome_of_a_dataset_that_does_not_know_them(
    run_path: Path, tmp_path: Path, change: Change
) -> None:
    sizes = open_study(run_path).dataset.metadata["chromosome_sizes"]
    change({"chromosome_sizes": None, "genome": "unknown"})
    with pytest.raises(InputError, match=r"chromosome sizes.*remc/small.*--chrom-sizes.*--genome"):
        tracks(run_path)
    file = tmp_path / "own.chrom.sizes"
    file.write_text("".join(f"{chrom}\t{size + 7}\n" for chrom, size in sizes.items()))
    with pytest.raises(InputError, match="genome='unknown'; name it with --genome"):
        tracks(run_path, chrom_sizes=file)
    of_genes = tracks(run_path, chrom_sizes=file, genome="hg19", methods=["alpha"])
    assert of_genes.genome == "hg19"
    assert all(size == sizes[chrom] + 7 for chrom, size in of_genes.chrom_sizes.items())
    write_tracks(of_genes, tmp_path / "out")
    session = ElementTree.parse(tmp_path / "out" / "igv_session.xml").getroot()
    assert session.attrib["genome"] == "hg19"
    first = of_genes.layout.site == 0
    start, end = of_genes.layout.start[first].min(), of_genes.layout.end[first].max()
    assert session.attrib["locus"] == f"{of_genes.layout.chrom[0]}:{start + 1}-{end}"


def test_coordinates_that_do_not_hold_are_warned_of_and_no_others(
    run_path: Path, tmp_path: Path, change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    agreement = {"holds": False, "share_agreeing": 0.398, "num_pairs": 1952}
    told = []
    for content in (None, {**agreement, "holds": None}, {**agreement, "holds": True}, agreement):
        change({"overlap_agreement": content} if content else {})
        main([str(run_path), "--methods", "alpha", "--out", str(tmp_path / "out")])
        told.append(capsys.readouterr().err)
    assert told[:3] == ["", "", ""]
    assert told[3] == (
        "warning: the coordinates of remc/small do not hold: only 39.8 % of 1,952 pairs of "
        "overlapping gene regions agree on where they overlap. A value may lie beside its place on "
        "the genome\n"
    )


def test_methods_that_the_model_has_not_are_no_default(
    run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "methods_of", lambda *_, **__: ["alpha_beta", "alpha"])
    assert list(tracks(run_path).values) == ["signal", "alpha"]


def test_a_baseline_has_tracks_of_occlusion(_fitted_baseline: Path) -> None:
    assert list(tracks(_fitted_baseline, marks=["H3K4me3"]).values) == ["signal", "occlusion"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"marks": ["H3K27ac"]}, r"a mark that .*run was trained on \(H3K27me3.*mark='H3K27ac'$"),
        ({"methods": ["mark_occlusion"]}, r"tell bins apart: alpha.*methods=mark_occlusion"),
        ({"num_top": 0}, "num_top=0"),
    ],
)
def test_options_that_cannot_be(run_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tracks(run_path, **options)


def test_marks_whose_files_would_be_one_are_refused(run_path: Path) -> None:
    study = open_study(run_path)
    config = dataclasses.replace(study.run.config, marks=("H3.3", "H3_3"))
    run = dataclasses.replace(study.run, config=config)
    with pytest.raises(InputError, match=r"marks=H3\.3, H3_3"):
        module._mark_columns(dataclasses.replace(study, run=run), ["H3.3", "H3_3"])
