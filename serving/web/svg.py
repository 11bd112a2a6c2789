"""Elements of SVG, as text in which nothing is markup that should not be."""

from typing import Any

from markupsafe import Markup, escape


def rounded(value: float) -> str:
    """A length or place in two decimals."""
    return f"{round(value, 2):g}" if abs(value) < 1e5 else str(round(value))


def clean(text: str) -> str:
    """Text that may stand in XML, which has no control characters, not even escaped."""
    return "".join(c if c.isprintable() or c == " " else "\N{REPLACEMENT CHARACTER}" for c in text)


def element(tag: str, content: Any = "", **attributes: Any) -> Markup:
    """An element; attributes by their names, with `_` for `-`."""
    named = "".join(
        f' {_attribute_name(name)}="{escape(rounded(v) if isinstance(v, float) else v)}"'
        for name, v in attributes.items()
    )
    if not content:
        return Markup(f"<{tag}{named}/>")
    return Markup(f"<{tag}{named}>{escape(content)}</{tag}>")


def _attribute_name(name: str) -> str:
    # viewBox keeps its capital; class_ and aria_label are how Python lets them be written.
    return name.rstrip("_").replace("_", "-")


def path(class_: str, d: str) -> Markup:
    """A path of a class."""
    return element("path", class_=class_, d=d)


def text_at(text: str, x: float, y: float, class_: str, *, anchor: str | None = None) -> Markup:
    """Text of a class at a place."""
    attributes = {"text-anchor": anchor} if anchor else {}
    return element("text", escape(clean(text)), class_=class_, x=x, y=y, **attributes)
