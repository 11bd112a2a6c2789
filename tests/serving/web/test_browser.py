"""The page in a browser: what is asked is predicted, and nothing but that happens."""

import functools
import http.server
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_reader import Reader

from serving.client import Client
from serving.csv_genes import CSV_MARKS
from serving.genes import Genes
from serving.local import LocalServer
from serving.web.catalogue import Catalogue
from serving.web.config import WebConfig

pytestmark = [pytest.mark.slow, pytest.mark.serving]

MARKUP = "<script>alert(1)</script>"
ENTER = "\ue007"


# === Predicting ===


def test_a_gene_is_found_and_predicted(
    reader: Reader, client: Client, catalogue: Catalogue
) -> None:
    box = reader.find("#gene")
    box.send_keys("pax")
    reader.wait("document.querySelectorAll('#suggestions [role=option]').length === 2")
    assert box.get_attribute("aria-expanded") == "true"
    reader.all("#suggestions li")[1].click()
    reader.wait_for_result()
    assert reader.browser.current_url.endswith("/?model=tiny&dataset=remc%2Fdemo&gene=PAX5")
    expected = client.predict(catalogue.take(0))
    assert reader.find("#probability").text == f"{expected.probability[0]:.3f}"
    assert reader.find("#gene-name").text == "PAX5"
    assert len(reader.all("svg.wide .signal")) == len(reader.all("svg.wide .heat")) == 5
    assert reader.find("svg.wide").is_displayed()
    assert not reader.find("svg.narrow").is_displayed()
    assert "NaN" not in reader.browser.page_source


def test_pasted_text_is_predicted(
    reader: Reader, client: Client, signal: np.ndarray, csv_text: Callable[..., str]
) -> None:
    reader.predict_text(csv_text(signal[:2]))
    names = np.array(["G0", "G1"])
    expected = client.predict(Genes(names, signal[:2], CSV_MARKS)).probability
    rows = [cell.text for cell in reader.all("#genes tbody td:nth-child(2)")]
    assert [float(row) for row in rows] == pytest.approx(expected, abs=5e-4)
    reader.all("#genes a")[1].click()
    reader.wait("document.querySelector('#gene-name').textContent === 'G1'")
    assert float(reader.find("#probability").text) == pytest.approx(expected[1], abs=5e-4)
    reader.browser.back()
    reader.wait("document.querySelector('#gene-name').textContent === 'G0'")


def test_a_chosen_file_is_predicted(
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str], file_of: Any
) -> None:
    reader.find("#by-csv").click()
    reader.find("#file").send_keys(str(file_of(csv_text(signal), "my genes.csv")))
    assert reader.find("#file-status").text == "my genes.csv is ready: press Predict."
    reader.find(".by-csv .main").click()
    reader.wait_for_result()
    assert "Gene 1 of 7, my genes.csv" in reader.find("#result").text


def test_a_dropped_file_is_predicted(
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str], file_of: Any
) -> None:
    path = file_of(csv_text(signal), "dropped.csv")
    drag(reader, path, 300, 300)
    assert reader.ask("document.querySelector('#by-csv').checked")
    assert reader.find("#file-status").text == "dropped.csv is ready: press Predict."
    assert "over" not in reader.find("#drop").get_attribute("class")
    reader.find(".by-csv .main").click()
    reader.wait_for_result()
    assert "7 genes of dropped.csv" in reader.find("#result").text
    # Also onto a result, whose form is folded.
    drag(reader, path, 300, 500)
    assert reader.find("#file-status").is_displayed()


def drag(reader: Reader, path: Path, x: int, y: int) -> None:
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": x, "y": y, "data": data}
        reader.browser.execute_cdp_cmd("Input.dispatchDragEvent", event)
    reader.wait("document.querySelector('#file').files.length === 1")


def test_a_file_that_is_too_large_is_not_sent(reader: Reader, file_of: Any) -> None:
    reader.find("#by-csv").click()
    reader.find("#file").send_keys(str(file_of("G" * 2**20)))
    status = reader.find("#file-status")
    assert status.text.startswith("Expected a file of at most 0.5 MB. Received: genes.csv, 1.0 MB")
    reader.find(".by-csv .main").click()
    assert status.is_displayed()
    assert reader.find(".by-csv .main").text == "Predict"


def test_the_server_too_refuses_a_file_that_is_too_large(reader: Reader, file_of: Any) -> None:
    reader.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    reader.browser.get(reader.address)
    reader.find("#by-csv").click()
    reader.find("#file").send_keys(str(file_of("G" * 2**22)))
    reader.find(".by-csv .main").click()
    assert "Expected an upload of at most 0.5 MB" in reader.wait_for("[role=alert]").text


def test_faults_are_shown_and_the_text_stays(
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str]
) -> None:
    wrong = csv_text(signal[:1]).replace("G0,3,", "G0,4,")
    reader.find("#by-csv").click()
    reader.find("#text").send_keys(wrong)
    reader.find(".by-csv .main").click()
    reader.wait("document.querySelector('[role=alert]')")
    assert "line 3: gene G0, bin=4" in reader.find("[role=alert]").text
    assert reader.find("#text").get_attribute("value") == wrong
    assert reader.find("#text").is_displayed()


def test_results_are_downloaded(
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str]
) -> None:
    reader.predict_text(csv_text(signal[:2]))
    for link in reader.all(".downloads a"):
        link.click()
    files = [reader.browser.downloads / name for name in ("predictions.csv", "G0.svg")]
    for _ in range(100):
        if all(file.is_file() for file in files):
            break
        reader.ask("new Promise((done) => setTimeout(done, 100))")
    assert files[0].read_text().startswith("gene_id,probability,top_mark,top_bin,beta_H3K27me3,")
    assert files[1].read_text().startswith('<?xml version="1.0"')
    # The drawing by itself has its colours.
    drawing = files[1].read_text()
    assert ".mark-3 .signal, .mark-3 .beta { fill: #0072b2" in drawing


def test_without_scripts_it_works_too(reader: Reader, csv_text: Any, signal: np.ndarray) -> None:
    reader.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    reader.browser.get(reader.address)
    assert not reader.find(".drop-hint").is_displayed()
    reader.find("#gene").send_keys("PAX5", ENTER)
    assert reader.wait_for("#gene-name").text == "PAX5"
    assert reader.find("svg.wide").is_displayed()
    assert not reader.find("#readout").is_displayed()
    assert not reader.find("#bin").is_displayed()
    reader.find(".values summary").click()
    assert len(reader.all("#values tbody tr")) == 8
    reader.find("#gene").clear()
    reader.find("#gene").send_keys("pa", ENTER)
    assert len(reader.wait_for(".matches").find_elements("css selector", "a")) == 4
    reader.find("#by-csv").click()
    assert not reader.find("#gene").is_displayed()
    reader.find("#text").send_keys(csv_text(signal[:1]))
    reader.find(".by-csv .main").click()
    assert reader.wait_for("#gene-name").text == "G0"


# === Safety ===


def test_names_stay_text(
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str], file_of: Any
) -> None:
    from urllib.parse import quote

    from selenium.common.exceptions import NoAlertPresentException

    text = csv_text(signal[:2], lambda i: f'"{MARKUP}{i}"')
    reader.find("#by-csv").click()
    reader.find("#file").send_keys(str(file_of(text, "a<img src=x onerror=alert(3)>.csv")))
    assert reader.find("#file-status").text.startswith("a<img src=x onerror=alert(3)>.csv is")
    reader.find(".by-csv .main").click()
    reader.wait_for_result()
    assert reader.find("#gene-name").text == f"{MARKUP}0"
    assert "2 genes of a<img src=x onerror=alert(3)>.csv" in reader.find("#result").text
    reader.open(f"/?gene={quote(MARKUP)}")
    assert reader.find("#gene-name").text == "\"><img src=x onerror='alert(2)'>"
    reader.open()
    reader.find("#gene").send_keys("<script")
    reader.wait("document.querySelectorAll('#suggestions [role=option]').length === 1")
    assert MARKUP in reader.find("#suggestions").text
    reader.open(f"/?model={quote(MARKUP)}")
    assert f"Received: model={MARKUP}." in reader.find("[role=alert]").text
    with pytest.raises(NoAlertPresentException):
        reader.browser.switch_to.alert  # noqa: B018


def test_other_sites_can_neither_send_nor_frame(browser: Any, address: str, tmp_path: Path) -> None:
    reader = Reader(browser, address)
    (tmp_path / "evil.html").write_text(
        f'<form method="post" action="{address}/predict" enctype="multipart/form-data">'
        '<input name="source" value="csv"><button>go</button></form>'
        f'<iframe src="{address}/"></iframe>'
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever).start()
        browser.get(f"http://localhost:{site.server_port}/evil.html")
        site.shutdown()
    frame = reader.find("iframe")
    browser.switch_to.frame(frame)
    assert reader.all("#ask") == []
    browser.switch_to.default_content()
    reader.find("button").click()
    assert "Expected a request of this page's own" in reader.wait_for("[role=alert]").text
    # The browser says that it refused the frame.
    browser.get_log("browser")
    browser.get_log("performance")


def test_the_page_says_that_the_server_is_away_and_comes_back(
    browser: Any,
    quick_models_dir: Path,
    catalogue: Catalogue,
    serving_page: Callable[..., Any],
) -> None:
    with LocalServer(quick_models_dir) as server:
        target = server.target
    config = WebConfig(
        target,
        models=("tiny",),
        catalogues={catalogue.name: catalogue},
        timeout_s=1,
    )
    with serving_page(config) as address:
        reader = Reader(browser, address)
        reader.open("/?gene=PAX5")
        assert "The model cannot be asked" in reader.find("[role=alert]").text
        assert reader.find("#gene").get_attribute("value") == "PAX5"
        with LocalServer(quick_models_dir, port=int(target.rpartition(":")[2])):
            reader.find(".by-gene .main").click()
            reader.wait_for_result()
            assert reader.find("#gene-name").text == "PAX5"
    browser.get_log("browser")
    browser.get_log("performance")
