"""`python -m serving.client`, asking the stand-in over a real port."""

import json
import os
import re
import signal as signals
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import xarray as xr
from free_ports import free_ports
from made_models import save_describing

from serving.client import main
from serving.description import ModelDescription
from serving.errors import InputError, ServerError
from serving.local import LocalServer

pytestmark = pytest.mark.serving
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


class Genes(tfds.core.GeneratorBasedBuilder):
    """A built dataset with one mark more, and the marks in another order."""

    VERSION = tfds.core.Version("1.0.0")
    NAME = "genes"
    MARKS = ("H3K27ac", *MARKS[::-1])
    SIGNAL = np.random.default_rng(5).poisson(3, (4, 8, 6)).astype(np.float32)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "signal": tfds.features.Tensor(shape=(8, 6), dtype=np.float32),
                    "gene_id": tfds.features.Text(),
                }
            ),
            metadata=tfds.core.MetadataDict(marks=list(self.MARKS), bin_bp=100, flank_bp=400),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"test": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, signal in enumerate(self.SIGNAL):
            yield number, {"signal": signal, "gene_id": f"ENSG{number:011d}"}


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def dataset_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = Genes(data_dir=tmp_path_factory.mktemp("data"), file_format=request.param)
    builder.download_and_prepare()
    return Path(builder.data_dir)


def write_csv(path: Path, signal: np.ndarray) -> Path:
    rows = [
        [f"{gene:06d}", bin_ + 1, *counts.astype(int), 1]
        for gene, bins in enumerate(signal)
        for bin_, counts in enumerate(bins)
    ]
    pd.DataFrame(rows).to_csv(path, header=False, index=False)
    return path


def run_main(server: LocalServer, *argv: str | Path, name: str = "tiny") -> int:
    where = ["--model", name, *([] if "--rest" in argv else ["--target", server.target])]
    return main([*([] if "--onnx" in argv else where), *map(str, argv)])


@pytest.mark.parametrize("over", ["grpc", "rest", "onnx"])
def test_predicts_the_genes_of_a_csv(
    server: LocalServer,
    onnx_file: Path,
    model: keras.Model,
    signal: np.ndarray,
    tmp_path: Path,
    over: str,
) -> None:
    csv = write_csv(tmp_path / "genes.csv", signal)
    where = {"grpc": (), "rest": ("--rest", server.rest_url), "onnx": ("--onnx", onnx_file)}[over]
    # Requests of one, two and two genes, several at a time, cut out of chunks of two.
    assert (
        run_main(server, "--csv", csv, "--out", tmp_path / "x.csv", "--batch-size", 2, *where) == 0
    )
    assert run_main(server, "--csv", csv, "--out", tmp_path / "x.nc", *where) == 0
    table = pd.read_csv(tmp_path / "x.csv", dtype={"gene_id": str})
    expected = {key: value.numpy() for key, value in model(signal, training=False).items()}
    assert list(table.columns[:4]) == ["gene_id", "probability", "top_mark", "top_bin"]
    assert list(table["gene_id"]) == [f"{gene:06d}" for gene in range(7)]
    np.testing.assert_allclose(table["probability"], expected["probability"], atol=1e-5)
    np.testing.assert_allclose(table[[f"beta_{m}" for m in MARKS]], expected["beta"], atol=1e-5)
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as arrays:
        assert list(arrays["mark"].values) == list(MARKS)
        assert list(arrays["bin"].values) == list(range(-400, 400, 100))
        assert list(arrays["gene_id"].values) == list(table["gene_id"])
        np.testing.assert_allclose(arrays["alpha"], expected["alpha"], atol=1e-5)
        assert (arrays.attrs["model"], arrays.attrs["version"]) == ("tiny", 12)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["genes.csv", "x.csv", "x.nc"]


def test_writes_the_saliency_too(
    server: LocalServer, model: keras.Model, signal: np.ndarray, tmp_path: Path
) -> None:
    csv, out = write_csv(tmp_path / "genes.csv", signal), tmp_path / "x.nc"
    assert run_main(server, "--csv", csv, "--out", out, "--saliency", "--batch-size", 2) == 0
    logit_model = keras.Model(model.inputs, model.get_layer("logit").output)
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        logit = logit_model(watched)
    expected = tape.gradient(logit, watched)
    with xr.open_dataset(out, engine="h5netcdf") as arrays:
        gradient = arrays["gradient"].transpose("gene", "bin", "mark")
        np.testing.assert_allclose(gradient, expected, atol=1e-5)
        np.testing.assert_allclose(arrays["probability"], tf.sigmoid(logit)[:, 0], atol=1e-5)


def test_picks_the_marks_of_a_dataset_by_name(
    server: LocalServer,
    model: keras.Model,
    dataset_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = model(Genes.SIGNAL[:, :, :0:-1], training=False)["probability"].numpy()
    data_dir = dataset_dir.parents[1]
    for source in (
        ("--dataset-dir", dataset_dir),
        ("--dataset", "genes", "--data-dir", data_dir),
        ("--dataset", dataset_dir, "--data_dir", data_dir / "elsewhere"),
    ):
        # Chunks of three genes and of one.
        assert run_main(server, *source, "--batch-size", 3) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == [f"ENSG{n:011d}" for n in range(4)]
        np.testing.assert_allclose(
            [float(line.split(",")[1]) for line in lines[1:]], expected, atol=1e-5
        )


def test_picks_the_marks_of_arrays_by_name(
    server: LocalServer, model: keras.Model, tmp_path: Path
) -> None:
    expected = model(Genes.SIGNAL[:, :, :0:-1], training=False)["probability"].numpy()
    np.save(tmp_path / "x.npy", Genes.SIGNAL)
    np.savez(tmp_path / "x.npz", signal=Genes.SIGNAL, marks=Genes.MARKS, gene_id=list("abcd"))
    for name, options, names in (
        ("x.npy", ("--marks", *Genes.MARKS), ["0", "1", "2", "3"]),
        ("x.npz", (), ["a", "b", "c", "d"]),
    ):
        out = tmp_path / "x.parquet"
        assert run_main(server, "--numpy", tmp_path / name, "--out", out, *options) == 0
        table = pd.read_parquet(out)
        assert list(table["gene_id"]) == names
        np.testing.assert_allclose(table["probability"], expected, atol=1e-5)


@pytest.mark.parametrize("over", ["grpc", "rest"])
def test_describes_the_model(
    server: LocalServer, capsys: pytest.CaptureFixture[str], over: str
) -> None:
    where = ("--rest", server.rest_url or "") if over == "rest" else ()
    assert run_main(server, "--describe", "--label", "stable", *where) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["version"] == 3
    assert about["marks"] == list(MARKS)
    assert about["status"] == {"3": "AVAILABLE", "12": "AVAILABLE"}
    assert about["signatures"]["saliency"]["outputs"]["gradient"] == ["float32", [-1, 8, 5]]


@pytest.mark.parametrize(
    ("options", "name", "message"),
    [
        (("--csv", "{tmp}/none.csv"), "tiny", "none.csv (No such file or directory)"),
        (("--csv", "{tmp}/genes.csv", "--out", "{tmp}/none/x.csv"), "tiny", "folder that exists"),
        (("--csv", "{tmp}/genes.csv", "--out", "{tmp}/x.txt"), "tiny", "ends in one of .csv"),
        (("--csv", "{tmp}/genes.csv", "--saliency"), "tiny", "(NetCDF) for the saliency"),
        (
            ("--csv", "{tmp}/genes.csv", "--marks", *MARKS[:4], "H3K27ac"),
            "tiny",
            "without H3K9me3",
        ),
        (
            ("--csv", "{tmp}/genes.csv"),
            "none",
            "NOT_FOUND: Servable not found for request: Latest(none). It serves foreign 1; tiny 3 "
            "(stable), 12 (canary)",
        ),
        (
            ("--csv", "{tmp}/genes.csv", "--rest", "{rest}"),
            "none",
            "not found for request: Latest(none). It has loaded foreign 1, tiny 3, tiny 12",
        ),
        (("--csv", "{tmp}/genes.csv", "--model-version", "4"), "tiny", "It serves foreign 1; tiny"),
        (
            ("--csv", "{tmp}/genes.csv", "--label", "x"),
            "tiny",
            "label: x. It serves foreign 1; tiny",
        ),
        (("--describe", "--marks", "H3K4me3"), "tiny", "--marks with --csv or --numpy"),
        (("--csv", "{tmp}/genes.csv", "--rest", "localhost:8501"), "tiny", "Expected a URL"),
        (
            ("--csv", "{tmp}/genes.csv", "--rest", "{rest}", "--tls"),
            "tiny",
            "https://host:port, or http://host:port without TLS",
        ),
        (
            ("--csv", "{tmp}/genes.csv", "--label", "stable", "--model-version", "3"),
            "tiny",
            "Expected a version or a label",
        ),
        (("--csv", "{tmp}/genes.csv", "--tls-ca", "{tmp}/none"), "tiny", "Expected a PEM file"),
        (("--csv", "{tmp}/genes.csv", "--tls-cert", "{tmp}/c"), "tiny", "certificate and its key"),
        (("--csv", "{tmp}/genes.csv", "--concurrency", "0"), "tiny", "concurrency=0"),
        (("--numpy", "{tmp}/genes.csv"), "tiny", "Expected arrays in an NPY or NPZ file"),
        (("--dataset", "{tmp}"), "tiny", "dataset_info.json. Received: dataset={tmp}, data_dir="),
        (
            ("--dataset", "remc/E012", "--data-dir", "{tmp}"),
            "tiny",
            "data_dir={tmp}. Build it: python -m tfds_remc --config E012 --data-dir {tmp}",
        ),
        (("--dataset-dir", "{dataset}", "--split", "x"), "tiny", "one of the splits test"),
        ((), "tiny", "Expected --csv, --dataset, --numpy or --describe. Received: none"),
        (("--csv", "x", "--describe"), "tiny", "Received: --csv and --describe"),
        (
            ("--describe", "--rest", "{rest}", "--target", "localhost:8500"),
            "tiny",
            "Expected --target or --rest. Received: both",
        ),
    ],
)
def test_refuses_in_one_line(
    server: LocalServer,
    dataset_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    name: str,
    message: str,
) -> None:
    write_csv(tmp_path / "genes.csv", np.ones((2, 8, 5)))
    names = {"tmp": tmp_path, "dataset": dataset_dir, "rest": server.rest_url}
    options = tuple(option.format_map(names) for option in options)
    message = message.format_map(names)
    with pytest.raises((InputError, ServerError), match=re.escape(message)) as refused:
        run_main(server, *options, name=name)
    assert str(refused.value).startswith("Expected")
    assert "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")
    assert [p.name for p in tmp_path.iterdir()] == ["genes.csv"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, ("--csv", "{file}"), "{file} (No such file or directory)"),
        ("G,1,1,2,3,4,-5\n", ("--csv", "{file}"), "line 1, gene G: H3K9me3='-5', column 7"),
        ("G,1,1,2,3,4,nan\n", ("--csv", "{file}"), "line 1, gene G: H3K9me3='nan', column 7"),
        ("G;1;1;2;3;4;x\n", ("--csv", "{file}"), "line 1, gene G: H3K9me3='x', column 7"),
        ("G,1,1,2,3,4\n", ("--csv", "{file}"), "line 1: 6 columns"),
        ("gene,bin,a,b\nG,1,1\n", ("--csv", "{file}"), "Expected 4 columns (gene id, bin, a, b)"),
        (None, ("--numpy", "{file}", "--marks", "x"), "{file} (No such file or directory)"),
        (
            None,
            ("--dataset", "E012", "--data-dir", "{file}"),
            "Build it: python -m tfds_remc --conf",
        ),
        ("G,1,1,2,3,4,5\n", ("--csv", "{file}", "--out", "{file}/x.csv"), "folder that exists"),
    ],
)
@pytest.mark.timeout(60)
def test_what_is_wrong_here_is_told_before_anybody_is_asked(
    tmp_path: Path, content: str | None, options: tuple[str, ...], message: str
) -> None:
    """There is no server: whoever asked one would wait for it for ten minutes."""
    file = tmp_path / "genes.csv"
    if content is not None:
        file.write_text(content)
    options = tuple(option.format(file=file) for option in options)
    where = ("--target", f"127.0.0.1:{free_ports(1)[0]}", "--timeout-s", "600")
    with pytest.raises(InputError, match=re.escape(message.format(file=file))):
        main(["--model", "tiny", *where, *options])


@pytest.mark.parametrize("over", ["grpc", "rest"])
def test_says_how_many_genes_went_where(
    server: LocalServer,
    signal: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    over: str,
) -> None:
    csv, out = write_csv(tmp_path / "genes.csv", signal), tmp_path / "x.csv"
    where = ("--rest", server.rest_url or "") if over == "rest" else ()
    options = ("--csv", csv, "--label", "stable", *where)
    assert run_main(server, *options, "--out", out, "--batch-size", 2) == 0
    said = "7 genes predicted by tiny, version 3 (stable)\n"
    assert capsys.readouterr() == (f"{out}: {said}", "")
    assert run_main(server, *options) == 0
    table, beside = capsys.readouterr()
    assert (table, beside) == (out.read_text(), said)
    assert run_main(server, *options, "--quiet") == 0
    assert capsys.readouterr() == (table, "")


def test_marks_are_known_in_any_spelling(
    server: LocalServer, signal: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write_csv(tmp_path / "genes.csv", signal)
    assert run_main(server, "--csv", csv) == 0
    expected = capsys.readouterr().out
    spelled = [mark.lower().replace("h3", "H3-") for mark in MARKS]
    assert run_main(server, "--csv", csv, "--marks", *spelled) == 0
    assert capsys.readouterr().out == expected
    # In another order they are others.
    assert run_main(server, "--csv", csv, "--marks", *spelled[::-1]) == 0
    assert capsys.readouterr().out != expected


@pytest.mark.parametrize("over", ["grpc", "rest"])
def test_an_answer_that_is_no_number_is_an_error(
    tmp_path: Path, signal: np.ndarray, over: str
) -> None:
    save_describing(tmp_path / "models/broken/1", MARKS, 8, factor=float("nan"))
    csv = write_csv(tmp_path / "genes.csv", signal)
    with LocalServer(tmp_path / "models", rest_port=0) as server:
        where = ("--rest", server.rest_url or "") if over == "rest" else ()
        options = ("--csv", csv, "--out", tmp_path / "x.csv", *where)
        message = "version 1. Received: nan for gene 000000. Its weights or its scaling"
        with pytest.raises(ServerError, match=re.escape(message)):
            run_main(server, *options, name="broken")
    assert not (tmp_path / "x.csv").exists()


def test_a_dataset_answers_to_several_names(
    server: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a name alone, of its folder, of that of a version, the highest."""
    builder = Genes(data_dir=tmp_path)
    builder.download_and_prepare()
    (tmp_path / "remc").mkdir()
    (tmp_path / "genes").rename(tmp_path / "remc/E012")
    folder = tmp_path / "remc/E012"
    (folder / "0.9.0").mkdir()
    (folder / "0.9.0/dataset_info.json").write_text("{}")
    names = ("E012", "remc/E012", "remc/E012/", "E012/1.0.0", "remc/E012:1.0.0", "remc/E012/1.0.0")
    tables = set()
    capsys.readouterr()
    for name in (*names, str(folder), f"{folder}/", str(folder / "1.0.0")):
        assert run_main(server, "--dataset", name, "--data-dir", tmp_path, "--quiet") == 0
        tables.add(capsys.readouterr().out)
    assert len(tables) == 1
    assert tables.pop().count("ENSG") == 4
    with pytest.raises(InputError, match=rf"built dataset \(remc/E012 in {tmp_path}\): its name"):
        run_main(server, "--dataset", "E013", "--data-dir", tmp_path)


def test_a_dataset_of_other_regions_is_refused(
    server: LocalServer, dataset_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ModelDescription.parse

    def of_longer_bins(*args: Any) -> ModelDescription:
        described = whole(*args)
        return described._replace(details={**described.details, "bin_bp": 200})

    monkeypatch.setattr(ModelDescription, "parse", of_longer_bins)
    with pytest.raises(InputError, match=r"Expected bin_bp=200, .* Received: bin_bp=100 in"):
        run_main(server, "--dataset", dataset_dir)


def test_a_fault_in_the_last_gene_leaves_no_file(
    server: LocalServer, signal: np.ndarray, tmp_path: Path
) -> None:
    csv = write_csv(tmp_path / "genes.csv", signal)
    csv.write_text(csv.read_text() + "000007,1,1,1,1,1,1,1\n")
    out = tmp_path / "x.csv"
    with pytest.raises(InputError, match="line 57: the file ends at bin 1 of gene 000007"):
        run_main(server, "--csv", csv, "--out", out, "--batch-size", 1)
    assert [p.name for p in tmp_path.iterdir()] == ["genes.csv"]


def start_command(*argv: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "serving.client", *map(str, argv)]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **options)


def test_ends_quietly_when_nobody_reads_on(server: LocalServer, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((5000, 8, 5), np.float32))
    where = ("--rest", server.rest_url, "--model", "tiny")
    command = (*where, "--numpy", tmp_path / "x.npy", "--marks", *MARKS, "--batch-size", 500)
    with start_command(*command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("gene_id,")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.timeout(120)
@pytest.mark.parametrize("over", [pytest.param("grpc", marks=pytest.mark.slow), "rest"])
def test_ends_in_one_line_when_interrupted(tmp_path: Path, over: str) -> None:
    """Also while it waits for a server that does not answer."""
    out = tmp_path / "x.csv"
    np.save(tmp_path / "x.npy", np.ones((50, 8, 5), np.float32))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        where = (
            ("--rest", f"http://127.0.0.1:{port}")
            if over == "rest"
            else ("--target", f"127.0.0.1:{port}")
        )
        options = ("--model", "tiny", "--marks", *MARKS, "--timeout-s", 300, "--out", out)
        with start_command(*where, "--numpy", tmp_path / "x.npy", *options) as process:
            silent.settimeout(60)
            with silent.accept()[0]:
                time.sleep(0.3)
                process.send_signal(signals.SIGINT)
                assert process.stderr is not None
                (line,) = process.stderr.read().splitlines()
                assert line.startswith("stopped by SIGINT; no file is left half-written")
    assert process.returncode == 130
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def test_progress_is_for_terminals(server: LocalServer, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((20, 8, 5), np.float32))
    where = ("--rest", server.rest_url, "--model", "tiny", "--out", tmp_path / "x.csv")
    shown = {}
    for name, options in (("bar", ()), ("quiet", ("--quiet",))):
        ours, theirs = os.openpty()
        termios.tcsetwinsize(ours, (24, 80))
        command = (*where, "--numpy", tmp_path / "x.npy", "--marks", *MARKS, *options)
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.client", *map(str, command)], stderr=theirs
        )
        assert process.wait() == 0
        os.close(theirs)
        try:
            shown[name] = os.read(ours, 10_000).decode()
        except OSError:  # nothing was written, and nobody will
            shown[name] = ""
        os.close(ours)
    assert "20 genes" in shown["bar"]
    assert shown["quiet"] == ""


def test_help_is_quick() -> None:
    code = (
        "import sys\n"
        "from serving.client import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    print(*{'tensorflow', 'pandas', 'xarray', 'tqdm'} & set(sys.modules))"
    )
    asked = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "--tls-server-name" in asked.stdout
    assert asked.stdout.splitlines()[-1] == ""
