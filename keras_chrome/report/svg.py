"""An SVG file as part of a page: only its drawing, and under names of its own."""

import re
from pathlib import Path
from xml.etree import ElementTree

from keras_chrome.errors import InputError

_MAX_BYTES = 64 * 2**20
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_ELEMENTS = {
    *("svg", "g", "defs", "clipPath", "path", "use", "rect", "circle", "ellipse", "line"),
    *("polyline", "polygon", "text", "tspan", "image"),
}
_ATTRIBUTES = {
    *("id", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "width", "height"),
    *("points", "transform", "viewBox", "preserveAspectRatio", "clip-path", "clip-rule"),
    *("clipPathUnits", "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width"),
    *("stroke-opacity", "stroke-linejoin", "stroke-linecap", "stroke-dasharray"),
    *("stroke-dashoffset", "stroke-miterlimit", "opacity", "font-family", "font-size"),
    *("font-style", "font-weight", "text-anchor", "image-rendering", "mix-blend-mode"),
}
_FONT = re.compile(r"(?P<words>.*?)(?P<size>[\d.]+px) (?P<family>.+)")
_WEIGHT = re.compile(r"bold|\d00")
_REFERENCE = re.compile(r"url\(\s*['\"]?#([^)'\"]+)['\"]?\s*\)")


def inline_svg(path: Path, *, prefix: str, title: str) -> str:
    """Read an SVG file as markup that can stand in a page, beside others.

    What is kept is named: shapes, text, embedded bitmaps and their looks. Scripts, style sheets,
    links, metadata and anything that would be loaded are left out. Style attributes become
    attributes of their own, so that the page can forbid inline styles. Ids get the prefix.

    Args:
        path: The file.
        prefix: For ids, unique in the page.
        title: What the drawing shows, for those who do not see it.

    Raises:
        InputError: If the file is no SVG.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"of over {_MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
        if "<!ENTITY" in text:
            raise ValueError("with entities, which may stand for any amount of text")
        root = ElementTree.fromstring(text)
        if root.tag != f"{{{_SVG}}}svg":
            raise ValueError(f"of {root.tag[:80]!a}")
        clean = _cleaned(root, prefix)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise InputError(
            f"Expected a drawing as SVG. Received: {path}, {error}; delete it, or write it anew"
        ) from None
    for name in ("width", "height"):
        clean.attrib.pop(name, None)
    # What Matplotlib says in its style sheet.
    defaults = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    clean.attrib = {**defaults, **clean.attrib, "role": "img", "aria-labelledby": f"{prefix}title"}
    of_title = ElementTree.Element("title", {"id": f"{prefix}title"})
    of_title.text = title
    clean.insert(0, of_title)
    return ElementTree.tostring(clean, encoding="unicode")


def _cleaned(element: ElementTree.Element, prefix: str) -> ElementTree.Element:
    clean = ElementTree.Element(element.tag.removeprefix(f"{{{_SVG}}}"), _looks(element, prefix))
    clean.text, clean.tail = element.text, element.tail
    for child in element:
        # Comments have a function as their tag.
        if isinstance(child.tag, str) and child.tag.removeprefix(f"{{{_SVG}}}") in _ELEMENTS:
            clean.append(_cleaned(child, prefix))
    if clean.tag == "defs":
        # A marker of Matplotlib has its line twice, here and where it is used. What is used can be
        # given the page's colours only there.
        for shape in clean.findall("path"):
            shape.attrib = {n: v for n, v in shape.attrib.items() if not n.startswith("stroke")}
    return clean


def _looks(element: ElementTree.Element, prefix: str) -> dict[str, str]:
    """The attributes that are kept, those of the style among them."""
    found = dict(element.attrib)
    for declaration in found.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = value.strip()
    # Earlier versions of Matplotlib write font: italic 700 8px 'DejaVu Sans', sans-serif.
    if font := _FONT.fullmatch(found.pop("font", "")):
        found |= {"font-size": font["size"], "font-family": font["family"]}
        found |= {"font-style": "italic"} if "italic" in font["words"] else {}
        if weight := _WEIGHT.search(font["words"]):
            found["font-weight"] = weight[0]
    kept = {}
    for name, value in found.items():
        if name in (_HREF, "href"):
            if value.startswith("#"):
                kept["href"] = f"#{prefix}{value[1:]}"
            elif value.startswith("data:image/png;base64,"):
                kept["href"] = value
        elif name == "id":
            kept[name] = prefix + value
        elif name in _ATTRIBUTES:
            inside = _REFERENCE.sub(lambda match: f"url(#{prefix}{match[1]})", value)
            # Whatever else a value would have loaded.
            if "url(" not in _REFERENCE.sub("", value):
                kept[name] = inside
    return kept
