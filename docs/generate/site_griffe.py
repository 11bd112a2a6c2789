"""Lets mkdocstrings read what is particular to this house's docstrings and options."""

import re
from typing import Any

import griffe

_TITLES = {
    # An example is code, and what a layer is called with is like what it is made with.
    re.compile(r"^(\s*)Example:", re.MULTILINE): r"\1Examples:",
    re.compile(r"^(\s*)Call arguments:", re.MULTILINE): r"\1Other Parameters: Call arguments:",
}


class HouseStyle(griffe.Extension):
    """Options of commands as the fields that they are, and sections under griffe's names."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the sections of a docstring."""
        if obj.docstring:
            for title, griffes in _TITLES.items():
                obj.docstring.value = title.sub(griffes, obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Give a field made by `option` its default, which is None for what a recipe decides."""
        call = attr.value
        if not isinstance(call, griffe.ExprCall):
            return
        if str(call.function) == "_of_recipe":
            attr.value = "None"
        if str(call.function) != "option":
            return
        by_name = {
            argument.name: argument.value
            for argument in call.arguments
            if isinstance(argument, griffe.ExprKeyword)
        }
        attr.value = by_name.get("default")
