"""Every public name has a docstring, and a page of the site."""

import griffe
import pytest
import site_python

import keras_chrome
from keras_chrome.__main__ import VERBS

MODULES = site_python.modules_with_all()
SHOWN = {
    path
    for page in site_python.PAGES.values()
    for headings in site_python.entries(page).values()
    for path in headings
}


def named(path: str) -> griffe.Object:
    root, _, rest = path.partition(".")
    node = site_python.package(root)[rest]
    return node.final_target if isinstance(node, griffe.Alias) else node


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_documented(module: str) -> None:
    for name in site_python.public_names(module):
        path = f"{module}.{name}"
        node = named(path)
        assert node.docstring, f"{path} has no docstring"
        if isinstance(node, griffe.Class):
            for member in node.members.values():
                is_method = isinstance(member, griffe.Function) and not member.is_special
                if is_method and member.is_public:
                    assert member.docstring, f"{member.path} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_on_a_page(module: str) -> None:
    # What two modules offer is shown once.
    targets = {named(path).path for path in SHOWN}
    for name in site_python.public_names(module):
        assert named(f"{module}.{name}").path in targets, f"{module}.{name} is on no page"


def test_every_verb_is_on_a_page() -> None:
    verbs = {verb for of_group in VERBS.values() for verb in of_group}
    assert verbs | {"InputError", "load_model"} == set(keras_chrome.__all__)
    for verb in verbs:
        assert f"keras_chrome.{verb}.{verb}" in SHOWN
        assert named(f"keras_chrome.{verb}.{verb}").docstring
