"""Start and the tutorials do what they say: their blocks are run in order, on simulated data."""

import gzip
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pybigtools
import pysam
import pytest
import site_blocks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

CHROMOSOME, LENGTH_BP = "chr1", 248_956_422  # hg38
SPACING_BP, FLANK_BP, BIN_BP, NUM_BINS = 20_000, 5_000, 100, 100
# Servers, which run until they are interrupted.
SERVER = re.compile(r"-m serving\.(local|web)\b")
PORTS = ("8500", "8080")


class Folder:
    """A folder in which the blocks of pages are run, with the servers that they start."""

    def __init__(self, path: Path, servers: ExitStack) -> None:
        self.path = path
        self.servers = servers
        binaries = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(site_blocks.ROOT), *filter(None, sys.path)]),
        }
        self.ports = {port: str(free_port()) for port in PORTS}

    def run(self, page: str) -> int:
        """Run a page's blocks, and return of how many."""
        number = 0
        for block in site_blocks.blocks_of(page):
            if block.is_run and block.language in ("sh", "python"):
                self._run(block)
                number += 1
        return number

    def _run(self, block: site_blocks.Block) -> None:
        text = block.text
        for port, free in self.ports.items():
            text = text.replace(f"localhost:{port}", f"localhost:{free}")
            text = text.replace(f"--port {port}", f"--port {free}")
        if SERVER.search(text):
            self._start(text, block)
            return
        command = ["bash", "-euc", text] if block.language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block}\n{text}\n{done.stdout}\n{done.stderr}"

    def _start(self, text: str, block: site_blocks.Block) -> None:
        """Start a server; it is up when its port takes connections."""
        port = self.ports["8080" if "serving.web" in text else "8500"]
        if "--port" not in text:
            text = f"{text.rstrip()} --port {port}"
        command = ["bash", "-euc", f"exec {text}"]
        process = subprocess.Popen(command, cwd=self.path, env=self.environment)
        self.servers.callback(process.wait)
        self.servers.callback(process.terminate)
        while True:
            assert process.poll() is None, f"{block}: {text} has ended"
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", int(port))) == 0:
                    return
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """A folder in which Start has been run: tutorials go on from there."""
    with ExitStack() as servers:
        folder = Folder(tmp_path_factory.mktemp("pages"), servers)
        assert folder.run("docs/start.md") >= 6
        yield folder


def simulated(num_genes: int, marks: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (genes, bins, marks), the first marks at the TSS of what is expressed, and RPKM."""
    generator = np.random.default_rng(0)
    is_high = generator.random(num_genes) < 0.5
    expression = np.where(
        is_high, generator.gamma(4, 5, num_genes), generator.gamma(1, 0.5, num_genes)
    )
    near = np.exp(-((np.arange(NUM_BINS) - 52) ** 2) / 60)
    mean = 0.3 + np.einsum("g,b,m->gbm", is_high * 3.0, near, np.linspace(1, 0.2, marks))
    return generator.poisson(mean), expression


def write_own_data(folder: Path, num_genes: int = 360) -> None:
    """Reads of three marks, a track of a fourth, genes and expression, named as the page does."""
    marks = ("H3K27me3", "H3K36me3", "H3K4me3", "H3K27ac")
    signal, tpm = simulated(num_genes, len(marks))
    tss = 1_010_000 + SPACING_BP * np.arange(num_genes)
    (folder / "K562").mkdir()
    header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": CHROMOSOME, "LN": LENGTH_BP}]}
    sheet = ["epigenome,mark,path"]
    for column, mark in enumerate(marks[:-1]):
        with pysam.AlignmentFile(folder / "K562" / f"{mark}.bam", "wb", header=header) as bam:
            for gene, bin_, count in (
                (g, b, signal[g, b, column]) for g, b in np.ndindex(num_genes, NUM_BINS)
            ):
                for number in range(count):
                    read = pysam.AlignedSegment()
                    read.query_name = f"r{gene}.{bin_}.{number}"
                    read.reference_id, read.mapping_quality, read.flag = 0, 60, 0
                    read.reference_start = int(tss[gene] - FLANK_BP + bin_ * BIN_BP + 30)
                    read.query_sequence, read.cigartuples = "A" * 36, [(0, 36)]
                    bam.write(read)
        sheet.append(f"K562,{mark},K562/{mark}.bam")
    path = folder / "K562" / f"{marks[-1]}.bigWig"
    starts = (tss[:, None] - FLANK_BP + BIN_BP * np.arange(NUM_BINS)).ravel()
    values = signal[:, :, -1].ravel()
    pybigtools.open(str(path), "w").write(
        {CHROMOSOME: LENGTH_BP},
        (
            (CHROMOSOME, int(s), int(s) + BIN_BP, float(v))
            for s, v in zip(starts, values, strict=True)
        ),
    )
    sheet.append(f"K562,{marks[-1]},K562/{marks[-1]}.bigWig")
    (folder / "sheet.csv").write_text("\n".join(sheet) + "\n")
    ids = [f"ENSG{number:011d}" for number in range(num_genes)]
    symbols = ["MYC", *(f"G{number}" for number in range(1, num_genes))]
    gtf = "".join(
        f'{CHROMOSOME}\ttest\tgene\t{place + 1}\t{place + 3_000}\t.\t+\t.\tgene_id "{name}"; '
        f'gene_type "protein_coding"; gene_name "{symbol}";\n'
        for name, symbol, place in zip(ids, symbols, tss, strict=True)
    )
    (folder / "gencode.gtf.gz").write_bytes(gzip.compress(gtf.encode()))
    rows = [f"{name}\t{value:.3f}" for name, value in zip(ids, tpm, strict=True)]
    (folder / "tpm.tsv").write_text("\n".join(["gene_id\tTPM", *rows]) + "\n")


def write_published_files(folder: Path, genes_a_split: int = 200) -> None:
    """The authors' archive, Roadmap's table and the gene table, of simulated genes."""
    manual = folder / "FOLDER"
    manual.mkdir()
    signal, rpkm = simulated(3 * genes_a_split, 5)
    # As the authors did it: numbers as text.
    median = f"{np.median(rpkm):.3f}"
    labels = [int(f"{value:.3f}" > median) for value in rpkm]
    with tarfile.open(manual / "data.tar.gz", "w:gz") as archive:
        for number, split in enumerate(("train", "valid", "test")):
            rows = [
                ",".join(map(str, (f"{gene + 1:06d}", bin_ + 1, *signal[gene, bin_], labels[gene])))
                for gene in range(number * genes_a_split, (number + 1) * genes_a_split)
                for bin_ in range(NUM_BINS)
            ]
            text = ("\n".join(rows) + "\n").encode()
            info = tarfile.TarInfo(f"E012/classification/{split}.csv")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    ids = [f"ENSG{number + 1:011d}" for number in range(len(rpkm))]
    table = "gene_id\tE012\n" + "".join(f"{i}\t{v:.3f}\n" for i, v in zip(ids, rpkm, strict=True))
    (manual / "57epigenomes.RPKM.pc.gz").write_bytes(gzip.compress(table.encode()))
    places = "gene_id\tsymbol\tchrom\ttss\tstrand\n" + "".join(
        f"{name}\tG{row}\tchr1\t{SPACING_BP * (row + 1)}\t+\n" for row, name in enumerate(ids)
    )
    (manual / "genes.tsv").write_text(places)


@pytest.mark.parametrize(
    ("page", "prepare"),
    [
        ("own_data", write_own_data),
        ("paper", write_published_files),
        ("models", None),
        ("explanations", None),
        ("serve", None),
    ],
)
def test_a_tutorial_runs(
    page: str, prepare: Callable[[Path], None] | None, started: Folder
) -> None:
    if prepare is not None:
        prepare(started.path)
    assert started.run(f"docs/tutorials/{page}.md") >= 2


def test_what_start_promises_is_there(started: Folder) -> None:
    for name in (
        "data/remc/demo/1.0.0/metadata.json",
        "runs/demo/metrics.json",
        "runs/demo/attention-test.nc",
        "runs/demo/plots/simulated-1914.png",
        "report.html",
        "models-onnx/demo/1/model.onnx",
        "served.csv",
    ):
        assert (started.path / name).stat().st_size > 0, name
