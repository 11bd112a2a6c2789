"""The colours of the web page by name, as its style sheet has them."""

import re
from pathlib import Path

import serving.web

_THEME = Path(serving.web.__file__).parent / "static/theme.css"
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#\w+);", half))
    for half in _THEME.read_text().split("@media screen and (prefers-color-scheme: dark)")
)
