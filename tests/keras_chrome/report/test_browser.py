"""The page in a browser: it draws, finds genes and obeys the keyboard."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import open_chromium

from keras_chrome.compare import CompareConfig, compare, write_comparison
from keras_chrome.figures.palette import TEXT_CONTRAST, contrast
from keras_chrome.report import report
from keras_chrome.report.collect import FINDINGS
from keras_chrome.report.theme import DARK_THEME, LIGHT_THEME
from keras_chrome.runs import open_study

pytestmark = pytest.mark.slow

PHONE = {"width": 375, "height": 812, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def runs(_trained_cnn: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on the same genes; the second was compared with H3K27ac."""
    path = tmp_path_factory.mktemp("compared")
    runs = [Path(shutil.copytree(_trained_cnn, path / name)) for name in ("one", "two")]
    finding = FINDINGS[0]
    drawn = compare([runs[1]], CompareConfig(methods=("alpha",), min_genes=1, num_untrained=1))
    write_comparison(drawn, runs[1] / finding.name)
    (runs[1] / finding.name / f"{finding.name}.csv").write_text(
        f"{','.join(finding.columns)}\n"
        "small,alpha,profile,pearson,none,0.2,0.1,0.3,150\n"
        "small,saliency,profile,pearson,none,-0.1,-0.2,0.3,150\n"
        "small,saliency,gene,pearson,both,,,,0\n"
    )
    return runs


@pytest.fixture(scope="module")
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    report(runs, path)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_chromium(tmp_path_factory.mktemp("profile"), {"browser": "ALL"}) as driver:
        yield driver


class Reader:
    """Somebody who reads the page."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def open(self, address: str) -> None:
        # From elsewhere, or another hash of the same file would not be loaded anew.
        self.browser.get("about:blank")
        self.browser.get(address)
        self.wait("'ready' in document.documentElement.dataset")

    def ask(self, expression: str) -> Any:
        return self.browser.execute_script(f"return {expression}")

    def wait(self, expression: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 20).until(lambda _: self.ask(expression), expression)

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    @property
    def gene(self) -> str:
        return self.find("#gene-name").text

    @property
    def plot(self) -> str:
        return self.ask("document.querySelector('#plot svg').outerHTML")

    def emulate(self, **features: str) -> None:
        media = [{"name": name.replace("_", "-"), "value": v} for name, v in features.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


@pytest.fixture
def reader(browser: Any, page: str) -> Iterator[Reader]:
    reader = Reader(browser)
    reader.open(page)
    yield reader
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    reader.emulate()
    # Errors of the script, and whatever the page's own policy had to forbid.
    assert browser.get_log("browser") == []


@pytest.fixture(scope="module")
def symbols(runs: list[Path]) -> list[str]:
    """Symbols of the test genes, in their order."""
    return open_study(runs[0]).genes.symbol.tolist()


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_everything_is_drawn_and_nothing_was_loaded(reader: Reader) -> None:
    charts = "document.querySelectorAll('.run:not([hidden]) [data-chart]')"
    assert reader.ask(f"{charts}.length") == 6
    assert reader.ask(f"[...{charts}].every((c) => c.querySelector('svg > title').textContent)")
    assert "NaN" not in reader.ask("document.querySelector('main').innerHTML")
    assert reader.ask("document.querySelectorAll('#plot .area').length") == 5
    assert reader.ask("performance.getEntriesByType('resource').length") == 0


def test_values_of_a_gene_are_those_of_the_model(
    reader: Reader, page: str, runs: list[Path]
) -> None:
    study = open_study(runs[0])
    genes, minus = study.genes, study.genes.strand.tolist().index("-")
    reader.open(f"{page}#gene={genes.gene_id[minus]}")
    assert reader.gene == genes.symbol[minus]
    assert genes.gene_id[minus] in reader.find("#gene-place").text
    assert "with respect to the signal as measured" in reader.find("#gene-caption").text
    # The rightmost bin along transcription is the first along the genome.
    reader.find("#bin").send_keys("\ue010")  # End
    shown = [cell.text for cell in reader.browser.find_elements("css selector", "#readout td")]
    assert [float(v) for v in shown[::3]] == genes.signal[minus, 0].tolist()
    start = genes.tss[minus] - 5000 + 1
    caption = reader.find("#readout caption").text
    assert caption.startswith("Bin 20 of 20: +4,500 to +5,000 bp from the TSS")
    assert caption.endswith(f"{genes.chrom[minus]}:{start:,}-{start + 499:,}")
    before = reader.plot
    reader.find("#along").click()
    assert reader.plot != before
    shown = [cell.text for cell in reader.browser.find_elements("css selector", "#readout td")]
    assert [float(v) for v in shown[::3]] == genes.signal[minus, -1].tolist()


def test_search_finds_a_gene_by_keyboard(reader: Reader, symbols: list[str]) -> None:
    before = reader.plot
    wanted = next(s for s in symbols if s != reader.gene)
    box = reader.find("#search")
    box.send_keys(wanted.lower())
    options = reader.browser.find_elements("css selector", "#suggestions [role=option]")
    assert wanted in options[0].text
    assert box.get_attribute("aria-expanded") == "true"
    box.send_keys("\ue015")  # ArrowDown
    assert box.get_attribute("aria-activedescendant") == options[0].get_attribute("id")
    assert options[0].get_attribute("aria-selected") == "true"
    box.send_keys("\ue007")  # Enter
    reader.wait(f"document.querySelector('#gene-name').textContent === '{wanted}'")
    assert box.get_attribute("aria-expanded") == "false"
    assert reader.plot != before
    assert reader.ask("location.hash").endswith(f"gene={wanted}")
    box.clear()
    box.send_keys("no such gene", "\ue007")
    assert reader.find("#found").text == "No such gene in the test split"


def test_arrow_keys_go_from_gene_to_gene_and_from_bin_to_bin(
    reader: Reader, symbols: list[str]
) -> None:
    first = reader.gene
    reader.press("\ue014")  # ArrowRight, where no gene is in view
    assert reader.gene == first
    reader.ask("document.querySelector('#genes').scrollIntoView()")
    reader.press("\ue014")
    reader.wait(f"document.querySelector('#gene-name').textContent !== '{first}'")
    second = reader.gene
    reader.press("\ue012")  # ArrowLeft
    reader.wait(f"document.querySelector('#gene-name').textContent === '{first}'")
    assert symbols and {first, second} <= set(symbols)

    reader.find("#bin").send_keys("\ue014")
    assert reader.gene == first
    assert reader.find("#readout caption").text.startswith("Bin 12 of 20: +500 to +1,000 bp")
    assert "H3K4me3" in reader.find("#bin").get_attribute("aria-valuetext")


def test_lists_lead_to_their_genes_and_back(reader: Reader) -> None:
    for verdict in ("right", "wrong"):
        link = reader.find(f"#{verdict} a")
        name = link.text
        link.click()
        reader.wait(f"document.querySelector('#gene-name').textContent === '{name}'")
        assert reader.find("#gene-verdict span").text == verdict
    reader.browser.back()
    reader.wait("document.querySelector('#gene-verdict span').textContent === 'right'")


def test_an_unknown_gene_is_said_to_be(reader: Reader, page: str) -> None:
    reader.open(f"{page}#gene=<b>NO</b>")
    assert reader.find("#found").text == "No gene <b>NO</b> in the test split"


def shared_names(split: str, examples: list[dict[str, Any]]) -> None:
    """Two TSSs of one gene, and two genes of one symbol."""
    if split == "test":
        for example in examples:
            example["transcript_id"] = b""
        for i in (3, 4):
            examples[i] |= {"gene_id": b"ENSG00000196092", "symbol": b"PAX5"}
            examples[i]["transcript_id"] = f"ENST0000000000{i}".encode()
        examples[5]["symbol"] = examples[6]["symbol"] = b"TWIN"
    else:
        for example in examples:
            example["transcript_id"] = b""


def test_genes_of_one_name_are_listed_and_chosen_from(
    reader: Reader, runs: list[Path], alter: Callable[..., Path], tmp_path: Path
) -> None:
    data: dict[str, Any] = {"dataset": "remc/altered", "data_dir": alter(shared_names, unit="TPM")}
    report([runs[0]], tmp_path / "a.html", **data)
    page = (tmp_path / "a.html").as_uri()
    genes = open_study(runs[0], **data).genes
    options = "[...document.querySelectorAll('#suggestions li')].map((li) => li.textContent)"

    reader.open(f"{page}#gene=ENSG00000196092.12")
    assert reader.find("#found").text == "2 genes are called ENSG00000196092.12: choose one"
    assert sorted(reader.ask(options)) == [
        f"PAX5ENSG00000196092 ENST0000000000{i} {genes.chrom[i]}:{genes.tss[i]}" for i in (3, 4)
    ]
    shown = reader.gene
    box = reader.find("#search")
    box.clear()
    box.send_keys("twin", "\ue007")  # Enter
    assert reader.find("#found").text == "2 genes are called twin: choose one"
    assert reader.gene == shown
    box.send_keys("\ue015", "\ue007")  # ArrowDown, Enter
    reader.wait("document.querySelector('#gene-name').textContent === 'TWIN'")
    chosen = reader.ask("decodeURIComponent(location.hash)").partition("gene=")[2]
    assert chosen in genes.gene_id[[5, 6]]

    reader.open(f"{page}#gene=PAX5@ENST00000000004")
    assert "ENST00000000004" in reader.find("#gene-place").text
    assert f"{genes.tss[4]:,}" in reader.find("#gene-place").text
    assert reader.find("#gene-verdict").text.count(" TPM)") == 1
    reader.open(f"{page}#gene=enst00000000003.7")
    assert "ENST00000000003" in reader.find("#gene-place").text


def test_switching_runs_keeps_the_gene(reader: Reader) -> None:
    reader.ask("document.querySelector('#next').click()")
    reader.wait("location.hash.startsWith('#run=one&gene=')")
    gene = reader.gene
    reader.find("#switcher input[value='1']").send_keys(" ")
    reader.wait("location.hash.startsWith('#run=two&gene=')")
    assert reader.gene == gene
    assert reader.ask("[...document.querySelectorAll('.run')].map((r) => r.hidden)") == [
        True,
        False,
    ]
    link = reader.find("[data-section=compare]")
    assert link.get_attribute("href").endswith("#run-1-compare")


def test_tables_sort_and_filter(reader: Reader, page: str) -> None:
    reader.open(f"{page}#run-1-compare")
    reader.find("#run-1-compare summary").click()
    rows = "[...document.querySelectorAll('#run-1-compare .filtered tbody tr')]"
    rows = f"{rows}.filter((r) => !r.hidden)"
    method, value = (f"{rows}.map((r) => r.cells[{i}].textContent)" for i in (1, 5))
    heading = reader.find("#run-1-compare .filtered th:nth-child(6) button")
    heading.click()
    assert [v[:6].strip() for v in reader.ask(value)] == ["\u22120.100", "0.200", "\u2013"]
    heading.click()
    # What is unknown stays last.
    assert [v[:6].strip() for v in reader.ask(value)] == ["0.200", "\u22120.100", "\u2013"]
    assert heading.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    reader.find("#run-1-compare .filters select").send_keys("saliency")
    assert reader.ask(method) == ["saliency", "saliency"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_a_drawing_can_be_read_on_what_is_behind_it(
    reader: Reader, page: str, scheme: str
) -> None:
    reader.emulate(prefers_color_scheme=scheme)
    reader.open(f"{page}#run-1-compare")
    assert reader.ask("document.querySelectorAll('.drawing.themed').length") == 1
    texts = reader.ask(
        """[...document.querySelectorAll('.drawing.themed text')].map((text) => {
          const at = text.getBoundingClientRect();
          return [text.textContent, getComputedStyle(text).fill, at.height];
        })"""
    )
    theme = DARK_THEME if scheme == "dark" else LIGHT_THEME
    assert len(texts) > 20
    for text, colour, height in texts:
        channels = [int(c) for c in re.findall(r"\d+", colour)]
        on_page = "#" + "".join(f"{c:02x}" for c in channels)
        assert contrast(on_page, theme.paper) >= TEXT_CONTRAST, text
        # Not shrunk until nobody can read it.
        assert height >= 8, text


def test_dark_mode_by_system_and_by_choice(reader: Reader) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    assert reader.ask(background) == rgb(LIGHT_THEME.paper)
    reader.emulate(prefers_color_scheme="dark")
    assert reader.ask(background) == rgb(DARK_THEME.paper)
    # The page hears of the system's change after its colours have changed.
    reader.wait("document.querySelector('#theme').getAttribute('aria-pressed') === 'true'")
    reader.find("#theme").click()
    assert reader.ask(background) == rgb(LIGHT_THEME.paper)


def test_nothing_moves_for_those_who_do_not_want_it(reader: Reader) -> None:
    moved = (
        "[...document.querySelectorAll('*')].filter((e) => "
        "getComputedStyle(e).transitionDuration.split(', ').some((d) => parseFloat(d) > 0)).length"
    )
    reader.emulate(prefers_reduced_motion="no-preference")
    assert reader.ask(moved) > 0
    reader.emulate(prefers_reduced_motion="reduce")
    assert reader.ask(moved) == 0


def test_a_phone_needs_no_sideways_scrolling(reader: Reader, page: str) -> None:
    reader.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    reader.open(f"{page}#run=two&gene=")
    assert reader.ask("innerWidth") == 375
    assert reader.ask("document.documentElement.scrollWidth") <= 375
    texts = "[...document.querySelectorAll('#plot text')]"
    assert reader.ask(f"{texts}.every((t) => t.getBoundingClientRect().right <= 375)")


def test_the_keyboard_reaches_the_content_first(reader: Reader) -> None:
    reader.press("\ue004")  # Tab
    assert reader.ask("document.activeElement.className") == "skip"
    assert reader.ask("document.activeElement.getBoundingClientRect().top") >= 0
    assert reader.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reader.press("\ue007")  # Enter
    reader.wait("document.activeElement.id === 'main'")


def test_contributions_are_drawn_and_told_in_numbers(
    browser: Any, additive_run_path: Path, tmp_path: Path
) -> None:
    report([additive_run_path], tmp_path / "a.html")
    study = open_study(additive_run_path)
    contribution = study.prediction.contribution
    assert contribution is not None
    # Of the first gene from the left, so along the genome where its strand is unknown or plus.
    gene = study.genes.strand.tolist().index("+")
    reader = Reader(browser)
    reader.open(f"{(tmp_path / 'a.html').as_uri()}#gene={study.genes.gene_id[gene]}")

    def numbers(texts: str) -> list[float]:
        return [float(text.replace("\u2212", "-")) for text in reader.ask(texts)]

    bars = "[...document.querySelectorAll('#plot .raises, #plot .lowers')]"
    heights = reader.ask(f"{bars}.map((bar) => bar.getBBox().height)")
    span = contribution[gene].clip(min=0).max() + (-contribution[gene]).clip(min=0).max()
    sizes = np.stack(
        [contribution[gene].clip(min=0).max(axis=1), (-contribution[gene]).clip(min=0).max(axis=1)]
    )
    np.testing.assert_allclose(heights, sizes.T.ravel() * 22 / span, atol=0.1)
    texts = "[...document.querySelectorAll('#plot text')].map((t) => t.textContent)"
    added = numbers(f"{texts}.filter((t) => t.startsWith('adds')).map((t) => t.slice(5))")
    np.testing.assert_allclose(added, contribution[gene].sum(axis=1), atol=0.0051)
    reader.find("#bin").send_keys("\ue011")  # Home
    shown = numbers(
        "[...document.querySelectorAll('#readout td:last-child')].map((c) => c.textContent)"
    )
    most = np.abs(contribution[gene]).max(axis=1)
    assert (np.abs(shown - contribution[gene, :, 0]) <= 0.005 * most).all()
    assert f"together {contribution[gene].sum():+.2f}." in reader.find(
        "#gene-caption"
    ).text.replace("\u2212", "-")
    assert browser.get_log("browser") == []


def test_contributions_fit_on_a_phone(
    browser: Any, additive_run_path: Path, tmp_path: Path
) -> None:
    report([additive_run_path], tmp_path / "a.html")
    reader = Reader(browser)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        reader.open((tmp_path / "a.html").as_uri())
        assert reader.ask("document.documentElement.scrollWidth") <= 375
        texts = "[...document.querySelectorAll('#plot text')].map((t) => t.getBoundingClientRect())"
        assert reader.ask(f"{texts}.every((t) => t.left >= 0 && t.right <= 375)")
        assert reader.ask("document.querySelectorAll('#plot .raises').length") == 5
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
