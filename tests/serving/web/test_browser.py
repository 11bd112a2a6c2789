"""The page in a browser: it draws, obeys mouse and keyboard, and loads nothing from elsewhere."""

import dataclasses
import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import open_chromium

from serving.client import Client
from serving.genes import CSV_MARKS, Genes
from serving.local import LocalServer
from serving.web.catalogue import Catalogue
from serving.web.config import WebConfig
from serving.web.numbers import MINUS
from serving.web.palette import DARK, LIGHT

pytestmark = [pytest.mark.slow, pytest.mark.serving]

PHONE = {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True}
MARKUP = "<script>alert(1)</script>"
TAB, ENTER, DOWN, RIGHT, SPACE, ESCAPE = "\ue004", "\ue007", "\ue015", "\ue014", " ", "\ue00c"


@pytest.fixture(scope="module")
def address(
    server: LocalServer, catalogue: Catalogue, serving_page: Callable[..., Any]
) -> Iterator[str]:
    other = dataclasses.replace(catalogue, name="remc/other", genes=catalogue.genes[:1])
    config = WebConfig(
        server.target,
        models=("tiny",),
        catalogues={catalogue.name: catalogue, other.name: other},
        max_upload_mb=0.5,
        max_genes=1000,
        allowed_hosts=("127.0.0.1",),
    )
    with serving_page(config) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    downloads = tmp_path_factory.mktemp("downloads")
    logs = {"browser": "ALL", "performance": "ALL"}
    preferences = {"download.default_directory": str(downloads)}
    with open_chromium(tmp_path_factory.mktemp("profile"), logs, preferences) as driver:
        driver.downloads = downloads
        # Away from the browser's own first page, which loads this and that.
        driver.get("about:blank")
        yield driver


class Reader:
    """Somebody who uses the page."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser = browser
        self.address = address

    def open(self, path: str = "/") -> None:
        self.browser.get(self.address + path)
        self.wait("'ready' in document.documentElement.dataset")

    def ask(self, expression: str, *arguments: Any) -> Any:
        return self.browser.execute_script(f"return {expression}", *arguments)

    def wait(self, expression: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 20).until(lambda _: self.ask(expression), expression)

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def wait_for_result(self) -> None:
        self.wait(
            "document.querySelector('#result') && 'ready' in document.documentElement.dataset"
        )

    def predict_text(self, text: str) -> None:
        self.find("#by-csv").click()
        self.find("#text").send_keys(text)
        self.find(".by-csv .main").click()
        self.wait_for_result()

    def emulate(self, **features: str) -> None:
        media = [{"name": name.replace("_", "-"), "value": v} for name, v in features.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    @property
    def focus(self) -> str:
        return self.ask("document.activeElement.id || document.activeElement.textContent.trim()")


@pytest.fixture
def reader(browser: Any, address: str) -> Iterator[Reader]:
    reader = Reader(browser, address)
    browser.get_log("performance")
    reader.open()
    yield reader
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    reader.emulate()
    # Errors of the script, and whatever the page's own policy had to forbid. That an answer is
    # not 200 is said there, too, and is no fault of the page.
    log = [e for e in browser.get_log("browser") if "Failed to load resource" not in e["message"]]
    assert log == []
    # Every request of the browser, for whatever.
    requests = [
        message["params"]["request"]["url"]
        for message in map(read_message, browser.get_log("performance"))
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert requests
    assert [url for url in requests if not url.startswith(f"{address}/")] == []


def read_message(entry: Any) -> Any:
    return json.loads(entry["message"])["message"]


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


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
    assert reader.browser.current_url.endswith(
        "/?model=tiny&dataset=remc%2Fdemo&gene=ENSG00000196092"
    )
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
    assert "Expected an upload of at most 0.5 MB" in wait_for(reader, "[role=alert]").text


def wait_for(reader: Reader, selector: str) -> Any:
    """Without a script of the page's own to wait for."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(reader.browser, 20).until(lambda _: (reader.all(selector) or [None])[0])


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
    assert ".mark-3 .signal,.mark-3 .beta{fill:#0072b2" in drawing


def test_without_scripts_it_works_too(reader: Reader, csv_text: Any, signal: np.ndarray) -> None:
    reader.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    reader.browser.get(reader.address)
    assert not reader.find(".drop-hint").is_displayed()
    reader.find("#gene").send_keys("PAX5", ENTER)
    assert wait_for(reader, "#gene-name").text == "PAX5"
    assert reader.find("svg.wide").is_displayed()
    assert not reader.find("#readout").is_displayed()
    assert not reader.find("#bin").is_displayed()
    reader.find(".values summary").click()
    assert len(reader.all("#values tbody tr")) == 8
    reader.find("#gene").clear()
    reader.find("#gene").send_keys("pa", ENTER)
    assert len(wait_for(reader, ".matches").find_elements("css selector", "a")) == 4
    reader.find("#by-csv").click()
    assert not reader.find("#gene").is_displayed()
    reader.find("#text").send_keys(csv_text(signal[:1]))
    reader.find(".by-csv .main").click()
    assert wait_for(reader, "#gene-name").text == "G0"


# === Reading ===


def test_the_pointer_reads_a_bin(reader: Reader, catalogue: Catalogue) -> None:
    from selenium.webdriver import ActionChains

    reader.open("/?gene=PAX5")
    drawing = reader.find("svg.wide")
    scale = drawing.size["width"] / 920
    # The middle of the third of eight bins between 118 and 718.
    x = (118 + 600 * 2.5 / 8) * scale
    ActionChains(reader.browser).move_to_element_with_offset(
        drawing, round(x - drawing.size["width"] / 2), 0
    ).perform()
    assert reader.find("#readout p").text == f"Bin 3 of 8, {MINUS}200 to {MINUS}100 bp from the TSS"
    shown = [cell.text.split()[0] for cell in reader.all("#readout dd")]
    assert [float(value) for value in shown] == catalogue.signal[0, 2].tolist()
    cursor = reader.find("svg.wide .cursor")
    assert (float(cursor.get_attribute("x")), float(cursor.get_attribute("width"))) == (268, 75)
    assert cursor.is_displayed()


def test_the_keyboard_reads_bins(reader: Reader, catalogue: Catalogue) -> None:
    reader.open("/?gene=PAX5")
    slider = reader.find("#bin")
    slider.send_keys("\ue011", RIGHT)  # Home
    assert reader.find("#readout p").text.startswith(
        "Bin 2 of 8, \N{MINUS SIGN}300 to \N{MINUS SIGN}200 bp"
    )
    told = slider.get_attribute("aria-valuetext")
    assert told.endswith(f"H3K9me3 {catalogue.signal[0, 1, 4]:g}")
    # The thumb stands over the bin.
    left, width = reader.ask(
        "[parseFloat(arguments[0].style.left), parseFloat(arguments[0].style.width)]", slider
    )
    thumb = left + 8 + (width - 16) / 7
    scale = reader.find("svg.wide").size["width"] / 920
    assert thumb == pytest.approx((118 + 600 * 1.5 / 8) * scale, abs=1)


def test_the_keyboard_is_enough(reader: Reader, client: Client, catalogue: Catalogue) -> None:
    reader.press(TAB)
    assert reader.focus == "Skip to the content"
    assert reader.ask("document.activeElement.getBoundingClientRect().top") >= 0
    reader.press(ENTER, TAB)
    assert reader.ask("document.activeElement.name") == "model"
    reader.press(TAB)
    assert reader.focus == "by-gene"
    reader.press(RIGHT)
    assert reader.focus == "by-csv"
    assert reader.find("#text").is_displayed()
    reader.press("\ue012", TAB)  # ArrowLeft
    assert reader.focus == "dataset"
    reader.press(TAB)
    assert reader.focus == "gene"
    outline = reader.ask("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    reader.press("pax")
    reader.wait("document.querySelectorAll('#suggestions [role=option]').length === 2")
    box = reader.find("#gene")
    reader.press(ESCAPE)
    assert box.get_attribute("aria-expanded") == "false"
    reader.press("5")
    reader.wait("document.querySelector('#gene').getAttribute('aria-expanded') === 'true'")
    reader.press(DOWN)
    assert box.get_attribute("aria-activedescendant") == "suggestion-0"
    reader.press(ENTER)
    reader.wait_for_result()
    expected = client.predict(catalogue.take(0))
    assert reader.find("#probability").text == f"{expected.probability[0]:.3f}"
    # What can be pressed is reached.
    seen = []
    for _ in range(20):
        reader.press(TAB)
        seen.append(reader.focus)
    for wanted in ("bin", "Picture, SVG", "Prediction, CSV", "About the model"):
        assert wanted in seen


def test_everything_has_a_name(reader: Reader) -> None:
    for path in ("/", "/?gene=PAX5"):
        reader.open(path)
        tree = reader.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        roles = (
            "button",
            "textbox",
            "combobox",
            "radio",
            "slider",
            "link",
            "image",
            "graphics-document",
        )
        named = {
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree
            if not node["ignored"] and node["role"]["value"] in roles
        }
        assert ("combobox", "Model") in named
        assert [role for role, name in named if not name.strip()] == []
    assert any("Signal and attention of PAX5. H3K27me3: signal up to" in name for _, name in named)


def test_dark_mode_follows_the_system(reader: Reader) -> None:
    reader.open("/?gene=PAX5")
    background = "getComputedStyle(document.body).backgroundColor"
    cell = "getComputedStyle(document.querySelector('svg.wide .a32')).fill"
    assert reader.ask(background) == rgb(LIGHT["paper"])
    light = reader.ask(cell)
    reader.emulate(prefers_color_scheme="dark")
    assert reader.ask(background) == rgb(DARK["paper"])
    assert reader.ask(cell) != light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(reader: Reader, scheme: str) -> None:
    reader.emulate(prefers_color_scheme=scheme)
    for path in ("/", "/?gene=PAX5", "/?gene=nosuch"):
        reader.browser.get(reader.address + path)
        pairs = reader.ask(
            """(() => {
              const found = new Set();
              const opaque = (e) => {
                for (; e; e = e.parentElement) {
                  const colour = getComputedStyle(e).backgroundColor;
                  if (!colour.startsWith("rgba(0, 0, 0, 0")) return colour;
                }
              };
              const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walker.nextNode()) {
                const parent = walker.currentNode.parentElement;
                if (!walker.currentNode.textContent.trim() || !parent.checkVisibility()) continue;
                const style = getComputedStyle(parent);
                const colour = parent.closest("svg") ? style.fill : style.color;
                found.add(JSON.stringify([colour, opaque(parent)]));
              }
              return [...found].map(JSON.parse);
            })()"""
        )
        assert len(pairs) > 2
        for colour, background in pairs:
            assert contrast(colour, background) >= 4.5, (path, colour, background)


def contrast(colour: str, other: str) -> float:
    """WCAG's contrast of two colours `rgb(r, g, b)`."""

    def luminance(text: str) -> float:
        channels = [int(part) / 255 for part in text[4:-1].split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_phone_needs_no_sideways_scrolling(
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str]
) -> None:
    reader.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    long_name = csv_text(signal, lambda i: f"{'very-long-name' * 6}{i}")
    for path in ("/", "/?gene=PAX5", "/?gene=pa", "/?gene=no-such-gene", "/nosuch"):
        reader.open(path)
        check_phone(reader)
    reader.open()
    reader.predict_text(long_name)
    reader.find("summary").click()
    for summary in reader.all("#result summary"):
        summary.click()
    check_phone(reader)
    assert reader.find("svg.narrow").is_displayed()
    assert not reader.find("svg.wide").is_displayed()
    texts = "[...document.querySelectorAll('svg.narrow text')]"
    assert reader.ask(
        f"{texts}.every((t) => {{ const b = t.getBoundingClientRect();"
        " return b.left >= 0 && b.right <= 360; })"
    )
    # Large enough to be read.
    assert reader.ask(f"Math.min(...{texts}.map((t) => t.getBoundingClientRect().height))") > 10


def check_phone(reader: Reader) -> None:
    assert reader.ask("innerWidth") == 360
    assert reader.ask("document.documentElement.scrollWidth") <= 360


def test_print_shows_the_result_alone(reader: Reader) -> None:
    reader.open("/?gene=PAX5")
    reader.emulate(prefers_color_scheme="dark")
    reader.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    assert reader.find("svg.wide").is_displayed()
    for selector in ("#ask", ".downloads", "#readout", "#bin", "footer", ".values"):
        assert not reader.find(selector).is_displayed(), selector
    # On paper, whatever the screen.
    assert reader.ask("getComputedStyle(document.body).color") == rgb(LIGHT["ink"])
    reader.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_nothing_moves_for_those_who_do_not_want_it(reader: Reader) -> None:
    moved = (
        "[...document.querySelectorAll('*')].filter((e) => "
        "getComputedStyle(e).transitionDuration.split(', ').some((d) => parseFloat(d) > 0)).length"
    )
    reader.emulate(prefers_reduced_motion="no-preference")
    assert reader.ask(moved) > 0
    reader.emulate(prefers_reduced_motion="reduce")
    assert reader.ask(moved) == 0


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
    assert "Expected a request of this page's own" in wait_for(reader, "[role=alert]").text
    # The browser says that it refused the frame.
    browser.get_log("browser")
    browser.get_log("performance")


def test_the_page_says_that_the_server_is_away_and_comes_back(
    browser: Any,
    models_dir: Path,
    catalogue: Catalogue,
    serving_page: Callable[..., Any],
) -> None:
    with LocalServer(models_dir) as server:
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
        with LocalServer(models_dir, port=int(target.rpartition(":")[2])):
            reader.find(".by-gene .main").click()
            reader.wait_for_result()
            assert reader.find("#gene-name").text == "PAX5"
    browser.get_log("browser")
    browser.get_log("performance")
