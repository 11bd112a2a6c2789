"""Debian's Chromium without a window, for tests of pages; who imports this skips without it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
_CHROMIUM, _CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (_CHROMIUM and _CHROMEDRIVER):
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)

_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--force-color-profile=srgb", "--window-size=1280,900"),
)


@contextmanager
def open_chromium(
    profile: Path, logs: dict[str, str], preferences: dict[str, Any] | None = None
) -> Iterator[Any]:
    """A browser, as Selenium drives it.

    Args:
        profile: A folder of its own.
        logs: Which logs it keeps, and from which level.
        preferences: Chromium's own.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM
    for option in _OPTIONS:
        options.add_argument(option)
    options.add_argument(f"--user-data-dir={profile}")
    if preferences:
        options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", logs)
    service = webdriver.ChromeService(_CHROMEDRIVER, log_output=subprocess.DEVNULL)
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()
