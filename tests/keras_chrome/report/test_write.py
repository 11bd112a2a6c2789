"""The page as text: all is there, nothing loads, nothing breaks out."""

import base64
import hashlib
import json
import re
import shutil
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from keras_chrome.compare import CompareConfig, compare, write_comparison
from keras_chrome.data import open_dataset, read_columns
from keras_chrome.errors import InputError
from keras_chrome.fit import fit
from keras_chrome.models import logit_model
from keras_chrome.report import report
from keras_chrome.report.__main__ import main
from keras_chrome.report.collect import FINDINGS, _names, _saliency
from keras_chrome.report.render import _compared, _contributions, _number
from keras_chrome.runs import open_study
from keras_chrome.tables import format_number

VOID = {"meta", "link", "input", "br", "img"}
HOSTILE = "<b onmouseover=alert(1)>\"'&amp;</script>"


class Page(HTMLParser):
    """Elements and texts of a page that closes what it opens."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def values(self, name: str) -> list[str]:
        return [a[name] or "" for _, a in self.elements if name in a]

    def script(self, element_id: str) -> str:
        """The content of a script element."""
        scripts = [attributes for tag, attributes in self.elements if tag == "script"]
        place = [attributes.get("id") for attributes in scripts].index(element_id)
        return self.texts["script"][place]

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.script("data"))


def with_findings(run: Path, method: str = "saliency") -> None:
    """What `compare` and `faithfulness` leave."""
    for finding in FINDINGS:
        numbers = {"r": 0.25, "value": 0.25, "low": 0.125, "high": 0.5, "num_genes": 1500}
        words = {"method": method, "better": "higher", "control": "none"}
        row = {name: numbers.get(name, words.get(name, name)) for name in finding.columns}
        (run / finding.name).mkdir()
        pd.DataFrame([row]).to_csv(run / finding.name / f"{finding.name}.csv", index=False)
        drawing = '<svg xmlns="http://www.w3.org/2000/svg"><path id="p" d="M0 0"/></svg>'
        (run / finding.name / f"{finding.name}.svg").write_text(drawing)


def with_quality(data_dir: Path, to: Path, **changes: Any) -> Path:
    """A copy of the data with what `tfds build` measures of files."""
    from tfds_remc.remc.quality import measure_quality

    copy = Path(shutil.copytree(data_dir, to))
    dataset = open_dataset("remc/small", copy)
    columns = read_columns(dataset, "train")
    quality = measure_quality(
        columns["signal"],
        dataset.marks,
        columns["strand"],
        flank_bp=dataset.flank_bp,
        bin_bp=dataset.bin_bp,
        label=columns["label"],
    )
    (dataset.path / "quality").mkdir()
    content = json.dumps({**quality.as_dict(), **changes})
    (dataset.path / "quality" / "quality.json").write_text(content)
    return copy


@pytest.fixture(scope="module")
def hostile_run(_trained_cnn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with findings, whose name and methods would like to be markup."""
    path = tmp_path_factory.mktemp("hostile") / "run<img src=x onerror=alert(1)>"
    shutil.copytree(_trained_cnn, path)
    with_findings(path, method=HOSTILE)
    return path


@pytest.fixture(scope="module")
def page(
    hostile_run: Path,
    _fitted_baseline: Path,
    data_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Page:
    """A report on that run, named twice, and on a baseline, whose dataset has its quality."""
    path = tmp_path_factory.mktemp("report")
    data = with_quality(data_dir, path / "data", warnings=[f"look at {HOSTILE}"])
    shutil.copytree(_fitted_baseline, path / "baseline")
    file = path / "baseline" / "config.json"
    config = json.loads(file.read_text())
    config["options"]["data_dir"] = str(data)
    file.write_text(json.dumps(config))
    again = hostile_run / ".." / hostile_run.name
    report([hostile_run, path / "baseline", again], path / "report.html")
    return Page((path / "report.html").read_text())


def test_nothing_loads_and_only_the_page_itself_runs(page: Page) -> None:
    (policy,) = [
        a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    ]
    hashes = {
        tag: base64.b64encode(hashlib.sha256(page.texts[tag][-1].encode()).digest()).decode()
        for tag in ("script", "style")
    }
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src "
        f"'sha256-{hashes['style']}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert page.values("src") == page.values("style") == []
    assert all(link == "data:," or link.startswith("#") for link in page.values("href"))
    attributes = {name for _, attributes in page.elements for name in attributes}
    assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page.texts["style"][-1]


def test_text_stays_text(page: Page, hostile_run: Path) -> None:
    assert not {"b", "img"} & {tag for tag, attributes in page.elements if attributes}
    assert hostile_run.name in page.texts["span"]
    assert f"look at {HOSTILE}" in page.texts["li"]
    assert HOSTILE in page.texts["td"]
    assert page.texts["title"][0] == f"{hostile_run.name}, baseline - keras-chrome report"
    assert [run["name"] for run in page.data["runs"]] == [hostile_run.name, "baseline"]


def test_references_meet(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.values("href") if link.startswith("#")]
    for name in ("aria-labelledby", "aria-controls", "for"):
        targets += page.values(name)
    assert set(targets) <= set(ids)
    assert [a.get("lang") for tag, a in page.elements if tag == "html"] == ["en-GB"]


def test_a_comparison_says_what_it_is_of_and_what_is_on() -> None:
    table = pd.DataFrame({"num_genes": [900, 1200], "mark": "H3K4me3"})
    table = table.assign(validation_mark="H3K27ac", validation_dataset="remc/E116")
    words = "Importance of H3K4me3 against H3K27ac of remc/E116, n = 1,200 genes predicted ON"
    assert _compared(table) == words
    assert _compared(table.assign(on_rule="P >= 0.3, as given")) == f"{words} (P >= 0.3, as given)"


def test_findings_are_shown_or_how_to_get_them(page: Page) -> None:
    assert len([tag for tag, _ in page.elements if tag == "svg"]) == len(FINDINGS)
    assert "".join(page.texts["small"]).count("0.125 to 0.500") == len(FINDINGS)
    # What an earlier version wrote does not say which marks; its drawing has no text to theme.
    captions = "".join(page.texts["figcaption"])
    assert "against a mark that was not trained on, n = 1,500 genes predicted ON." in captions
    assert "drawing" in page.values("class")
    told = "".join(page.texts["code"])
    for command in (
        r"compare \S+/baseline --validation-mark H3K27ac",
        r"faithfulness \S+/baseline",
    ):
        assert len(re.findall(f"python -m keras_chrome.{command}", told)) == 1


def test_a_mark_that_was_trained_on_is_to_be_left_out_first(data_dir: Path, tmp_path: Path) -> None:
    run = fit(
        dataset="small",
        data_dir=data_dir,
        run_dir=tmp_path / "six",
        model="logistic_regression_max",
    )
    assert "H3K27ac" in run.marks
    path = tmp_path / "report.html"
    report([run.path], path)
    told = "".join(Page(path.read_text()).texts["code"])
    other = tmp_path / "six_without_H3K27ac"
    marks = " ".join(mark for mark in run.marks if mark != "H3K27ac")
    assert (
        f"python -m keras_chrome.fit --dataset remc/small --run-dir {other} --data-dir {data_dir} "
        f"--marks {marks} && python -m keras_chrome.compare {other} --validation-mark H3K27ac"
    ) in told


def test_a_comparison_is_a_table_of_methods_and_names_its_marks(
    cnn_run_path: Path, tmp_path: Path
) -> None:
    config = CompareConfig(methods=("alpha",), min_genes=1, num_untrained=2)
    compare([cnn_run_path], config).pipe(write_comparison, cnn_run_path / "compare")
    report([cnn_run_path], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    written = pd.read_csv(cnn_run_path / "compare" / "compare.csv")
    num_genes = written["num_genes"].max()
    captions = [" ".join(text.split()) for text in page.texts["caption"]]
    held = f"Importance of H3K4me3 against H3K27ac of remc/small, n = {num_genes} genes"
    assert f"Means over genes, correlated: Pearson's r. {held}" in "".join(captions)
    rows = "".join(page.texts["b"])
    of_alpha = written.query("method == 'alpha' and statistic == 'pearson' and level == 'gene'")
    assert set(of_alpha["network"]) == {"trained", "untrained"}
    assert "alpha, untrained" in page.texts["th"]
    for r in of_alpha.query("form in ('none', 'linear_log')")["r"]:
        assert f"{r:.2f}".replace("-", "\N{MINUS SIGN}") in rows
    # Its drawing follows the theme of the page.
    assert "drawing themed" in page.values("class")


@pytest.mark.parametrize(
    ("value", "text"), [(-0.001, "0.00"), (-0.5, "\N{MINUS SIGN}0.50"), (1234, "1,234")]
)
def test_numbers_have_a_true_minus_and_nothing_has_none(value: float, text: str) -> None:
    assert _number(value, 2) == text


def test_quality_is_shown_where_it_was_measured(page: Page) -> None:
    without, measured = page.data["runs"]
    assert without["quality"] is None
    assert "beside its records" in "".join(page.texts["p"])
    assert page.data["marks"][-1] == "H3K27ac"
    assert len(measured["quality"]["marks"]) == 6
    assert len(measured["quality"]["marks"][5]["profile_low"]) == 20


def test_numbers_are_those_of_the_run(page: Page, hostile_run: Path) -> None:
    run = page.data["runs"][0]
    metrics = json.loads((hostile_run / "metrics.json").read_text())
    for name in ("auroc", "auprc", "positive_rate", "ece"):
        assert run["metrics"][name] == pytest.approx(metrics["test"][name], abs=1e-6), name
    predicted, high = (metrics["test"][name] for name in ("mean_probability", "positive_rate"))
    told = f"In the mean the model predicts {predicted:.3f}, and {high:.3f} of the genes are high."
    assert told in "".join(page.texts["figcaption"])
    assert run["history"]["val_auroc"] == pytest.approx(
        pd.read_csv(hostile_run / "history.csv")["val_auroc"].tolist()
    )
    assert run["history"]["best_epoch"] == metrics["best_epoch"]
    assert sum(map(sum, run["histogram"])) == metrics["test"]["num_genes"] == run["numGenes"]
    # Where things lie is for the commands that a reader is told, and for nothing else.
    assert not {"run dir", "data dir"} & set(page.texts["th"])


def test_genes_are_those_of_the_run(page: Page, hostile_run: Path) -> None:
    predictions = pd.read_csv(hostile_run / "predictions.csv")
    predictions = predictions[predictions["split"] == "test"]
    genes = json.loads(zlib.decompress(base64.b64decode(page.script("genes-0"))))
    assert genes["id"] == predictions["gene_id"].tolist()
    assert genes["label"] == predictions["label"].tolist()
    study = open_study(hostile_run)
    assert genes["name"] == study.gene_names.tolist()
    assert genes["expression"] == [f"{format_number(r)} RPKM" for r in study.genes.rpkm.tolist()]
    np.testing.assert_allclose(genes["probability"], predictions["probability"], atol=1e-4)
    layers = page.data["runs"][0]["layers"]
    assert [layer["name"] for layer in layers] == ["signal", "alpha", "beta", "saliency"]
    # Of counts, the low bytes of the first mark come first.
    assert layers[0] == {"name": "signal", "kind": "steps", "divisor": 1}
    content = zlib.decompress(base64.b64decode(page.script("chunk-0-0")))
    signal = open_study(hostile_run).genes.signal
    np.testing.assert_array_equal(np.frombuffer(content, "u1", 20), signal[0, :, 0])


def test_expression_has_the_unit_of_the_dataset(
    cnn_run_path: Path, alter: Callable[..., Path], tmp_path: Path
) -> None:
    data_dir = alter(lambda split, examples: None, unit="TPM")
    report([cnn_run_path], tmp_path / "a.html", dataset="remc/altered", data_dir=data_dir)
    text = (tmp_path / "a.html").read_text()
    assert " TPM, the median" in text
    assert "RPKM, the median" not in text
    packed = re.search(r'id="genes-0"[^>]*>([^<]+)<', text)[1]
    genes = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert all(of_gene.endswith(" TPM") for of_gene in genes["expression"])


def test_a_baseline_lacks_attention_saliency_and_epochs(page: Page) -> None:
    run = page.data["runs"][1]
    assert [layer["name"] for layer in run["layers"]] == ["signal"]
    assert run["notes"] == [
        "logistic_regression has no alpha and beta",
        "logistic_regression has no gradient, and so no saliency",
    ]
    assert run["history"] is None
    assert "a baseline is fitted at once" in "".join(page.texts["p"])


def test_without_the_extra_there_is_no_saliency(
    cnn_run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'tf_keras_vis'", name="tf_keras_vis.saliency")

    monkeypatch.setattr("keras_chrome.report.collect.compute_importance", fails)
    saliency, reason = _saliency(open_study(cnn_run_path))
    assert saliency is None
    assert reason.endswith("pip install 'keras-chrome[explain]'")


def test_runs_of_one_name_are_told_apart() -> None:
    assert _names([Path("/a/b/run"), Path("/a/c/run"), Path("/a/d")]) == ["b/run", "c/run", "d"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "compare/compare.csv",
            "method,r\nalpha,0.1\n",
            r"with the columns epigenome, .*Received: .*compare\.csv \(without epigenome, level",
        ),
        ("history.csv", "", r"Expected a table as CSV.*history\.csv \(No columns.*\); train"),
    ],
)
def test_damaged_files_are_named(cnn_run_path: Path, file: str, content: str, message: str) -> None:
    (cnn_run_path / file).parent.mkdir(exist_ok=True)
    (cnn_run_path / file).write_text(content)
    with pytest.raises(InputError, match=message):
        report([cnn_run_path], cnn_run_path / "report.html")
    assert not (cnn_run_path / "report.html").exists()


def test_damaged_quality_is_named(cnn_run_path: Path, data_dir: Path, tmp_path: Path) -> None:
    data = with_quality(data_dir, tmp_path / "data", marks=[{"mark": "H3K4me3"}])
    with pytest.raises(InputError, match=r"Received: .*quality\.json \(KeyError: 'mean_signal'\)"):
        report([cnn_run_path], tmp_path / "report.html", data_dir=str(data))


def test_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "keras_chrome.report.__main__.report",
        lambda *given, **options: asked.append((given, options)),
    )
    main(["a", "b", "--out", "report.html", "--labels", "published"])
    options = {"dataset": None, "data_dir": None, "labels": "published"}
    assert asked == [(((Path("a"), Path("b")), Path("report.html")), options)]
    assert capsys.readouterr().out == "report.html\n"


def test_what_bins_add_keeps_its_zeros_and_its_sum(additive_run_path: Path) -> None:
    study = open_study(additive_run_path)
    contribution = study.prediction.contribution
    assert contribution is not None
    parts = _contributions(contribution)
    np.testing.assert_array_equal(parts["raises"] - parts["lowers"], contribution)
    assert min(parts[name].min() for name in ("raises", "lowers")) == 0.0
    logit = logit_model(study.model)
    signal = study.genes.signal
    expected = logit(signal)[:, 0] - logit(np.zeros_like(signal[:1]))[:, 0]
    np.testing.assert_allclose(parts["adds"].sum(axis=1), expected, atol=1e-5)
    assert _contributions(None) == {}
