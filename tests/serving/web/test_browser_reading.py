"""The page in a browser: it draws, and can be read with mouse, keyboard, phone and on paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from page_colours import DARK, LIGHT
from page_reader import Reader

from serving.client import Client
from serving.web.catalogue import Catalogue
from serving.web.numbers import MINUS

pytestmark = [pytest.mark.slow, pytest.mark.serving]

PHONE = {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True}
TAB, ENTER, ESCAPE, HOME = "\ue004", "\ue007", "\ue00c", "\ue011"
LEFT, RIGHT, DOWN = "\ue012", "\ue014", "\ue015"


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def layout(reader: Reader) -> tuple[float, float, float]:
    """Where the first of eight bins starts, how wide each is, and pixels a unit of the drawing."""
    drawing = reader.find("svg.wide")
    left, right = (float(drawing.get_attribute(f"data-{side}")) for side in ("left", "right"))
    width = reader.ask("arguments[0].viewBox.baseVal.width", drawing)
    return left, (right - left) / 8, drawing.size["width"] / width


def test_the_pointer_reads_a_bin(reader: Reader, catalogue: Catalogue) -> None:
    from selenium.webdriver import ActionChains

    reader.open("/?gene=PAX5")
    drawing = reader.find("svg.wide")
    left, bin_width, scale = layout(reader)
    x = (left + 2.5 * bin_width) * scale
    ActionChains(reader.browser).move_to_element_with_offset(
        drawing, round(x - drawing.size["width"] / 2), 0
    ).perform()
    assert reader.find("#readout p").text == f"Bin 3 of 8, {MINUS}200 to {MINUS}100 bp from the TSS"
    shown = [cell.text.split()[0] for cell in reader.all("#readout dd")]
    assert [float(value) for value in shown] == catalogue.signal[0, 2].tolist()
    cursor = reader.find("svg.wide .cursor")
    place = (float(cursor.get_attribute("x")), float(cursor.get_attribute("width")))
    assert place == (left + 2 * bin_width, bin_width)
    assert cursor.is_displayed()


def test_the_keyboard_reads_bins(reader: Reader, catalogue: Catalogue) -> None:
    reader.open("/?gene=PAX5")
    slider = reader.find("#bin")
    slider.send_keys(HOME, RIGHT)
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
    first, bin_width, scale = layout(reader)
    assert thumb == pytest.approx((first + 1.5 * bin_width) * scale, abs=1)


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
    reader.press(LEFT, TAB)
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
    reader: Reader, signal: np.ndarray, csv_text: Callable[..., str], file_of: Any
) -> None:
    reader.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    long_name = csv_text(signal, lambda i: f"{'very-long-name' * 6}{i}")
    for path in ("/", "/?gene=PAX5", "/?gene=pa", "/?gene=no-such-gene", "/nosuch"):
        reader.open(path)
        check_phone(reader)
    reader.open()
    reader.find("#by-csv").click()
    reader.find("#file").send_keys(str(file_of(long_name, f"{'long-name' * 9}.csv")))
    reader.find(".by-csv .main").click()
    reader.wait_for_result()
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 390, 414, 700])
def test_suggestions_on_a_phone_leave_the_button_free(
    reader: Reader, width: int, scheme: str
) -> None:
    metrics = {**PHONE, "width": width}
    reader.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    reader.emulate(prefers_color_scheme=scheme)
    reader.open()
    # Two datasets, as here, or one, whose name stands in the label.
    reader.find("#gene").send_keys("pa")
    reader.wait("document.querySelectorAll('#suggestions [role=option]').length === 4")
    assert reader.ask(
        """(() => {
          const button = document.querySelector(".by-gene .main");
          button.scrollIntoView({block: "center"});
          const [b, l] = [button, document.querySelector("#suggestions")].map(
            (e) => e.getBoundingClientRect());
          const apart = l.top >= b.bottom || l.left >= b.right || l.right <= b.left;
          const on_it = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);
          return apart && on_it === button && l.width > 0.7 * innerWidth && l.right <= innerWidth;
        })()"""
    )
    assert reader.ask("document.documentElement.scrollWidth") <= width
    reader.find(".by-gene .main").click()
    reader.wait_for(".matches")


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
