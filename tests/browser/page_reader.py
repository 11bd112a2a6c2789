"""Somebody who uses a page in a browser."""

import json
from typing import Any


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

    def wait_for(self, selector: str) -> Any:
        """Without a script of the page's own to wait for."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, 20).until(lambda _: (self.all(selector) or [None])[0])

    def emulate(self, **features: str) -> None:
        media = [{"name": name.replace("_", "-"), "value": v} for name, v in features.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    @property
    def focus(self) -> str:
        return self.ask("document.activeElement.id || document.activeElement.textContent.trim()")


def read_message(entry: Any) -> Any:
    return json.loads(entry["message"])["message"]
