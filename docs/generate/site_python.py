"""The public names of the four packages, from their `__all__`, and pages that show them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import griffe

from keras_chrome.__main__ import VERBS

_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("keras_chrome", "tfds_remc", "export", "serving")


@dataclass(frozen=True)
class Page:
    """A page of the Python API.

    Attributes:
        title: Its title.
        lead: What stands under it.
        modules: The modules whose public names it shows.
    """

    title: str
    lead: str
    modules: tuple[str, ...]


_AXES = (
    "Signal is (genes, bins, marks) everywhere, alpha (genes, marks, bins) and beta (genes, marks)."
)
_OF_VERBS = tuple(verb for of_group in VERBS.values() for verb in of_group)
PAGES = {
    "verbs": Page(
        "keras_chrome: the verbs",
        "Every command of `keras-chrome` is a function of its name, and does the same. " + _AXES,
        tuple(f"keras_chrome.{verb}" for verb in _OF_VERBS),
    ),
    "parts": Page(
        "keras_chrome: data, models, importance",
        "What the verbs are made of, for code of your own. " + _AXES,
        (
            "keras_chrome.data",
            "keras_chrome.runs",
            "keras_chrome.models",
            "keras_chrome.baselines",
            "keras_chrome.layers",
            "keras_chrome.importance",
            "keras_chrome.import_weights.checkpoint",
        ),
    ),
    "tfds_remc": Page(
        "tfds_remc",
        "Datasets: published, simulated, and of your own files. Signal is (genes, bins, marks).",
        ("tfds_remc", "tfds_remc.__main__", "tfds_remc.remc.sources"),
    ),
    "export": Page("export", "From runs to what is served.", ("export",)),
    "serving": Page(
        "serving",
        "Clients, and a local server. Nothing here needs TensorFlow to ask. " + _AXES,
        (
            "serving.client",
            "serving.rest_client",
            "serving.onnx_client",
            "serving.any_client",
            "serving.predictions",
            "serving.tls",
            "serving.errors",
            "serving.local",
        ),
    ),
}
"""The pages by file name."""


@cache
def package(name: str) -> griffe.Module:
    """A package of ours, read and not imported."""
    loader = griffe.GriffeLoader(search_paths=[_ROOT])
    loaded = loader.load(name)
    loader.resolve_aliases()
    assert isinstance(loaded, griffe.Module)
    return loaded


def public_names(module: str) -> list[str]:
    """What a module offers: its `__all__`; of a verb that is one file, the verb."""
    root, _, rest = module.partition(".")
    node = package(root)[rest] if rest else package(root)
    names = node.exports
    if names is None:
        names = [module.rpartition(".")[2]]
    return [str(name) for name in names]


def modules_with_all() -> list[str]:
    """Every module of ours that has an `__all__`, but the package keras_chrome.

    The names of that one are the verbs, and two more.
    """

    def walk(node: griffe.Module) -> list[str]:
        below = [m for m in node.members.values() if isinstance(m, griffe.Module)]
        return ([node.path] if node.exports is not None else []) + [
            path for module in below for path in walk(module)
        ]

    return [path for name in PACKAGES for path in walk(package(name)) if path != "keras_chrome"]


def entries(page: Page) -> dict[str, dict[str, str]]:
    """What a page shows: for each module, the heading of each path."""
    shown = {}
    for module in page.modules:
        names = public_names(module)
        verb = module.rpartition(".")[2]
        shown[module] = {
            f"{module}.{name}": module if name == verb else name
            for name in sorted(names, key=lambda name: (name != verb, name[0].islower(), name))
        }
    return shown


def python_page(page: Page, *, is_first: bool = False) -> str:
    """A page of the Python API as Markdown, which mkdocstrings fills."""
    parts = [f"# {page.title}", page.lead]
    if is_first:
        parts += [_entry(path, heading) for path, heading in _OF_PACKAGE.items()]
    for module, headings in entries(page).items():
        if module not in headings.values():
            parts.append(f"## {module} {{ #module-{module} }}")
        parts += [_entry(path, heading) for path, heading in headings.items()]
    return "\n\n".join(parts) + "\n"


_OF_PACKAGE = {
    "keras_chrome.load_model": "keras_chrome.load_model",
    "keras_chrome.errors.InputError": "keras_chrome.InputError",
}


def _entry(path: str, heading: str) -> str:
    level = 2 if heading.startswith("keras_chrome.") else 3
    options = {"heading": heading, "toc_label": heading, "heading_level": level}
    lines = [f"      {name}: {value}" for name, value in options.items()]
    return "\n".join([f"::: {path}", "    options:", *lines])
