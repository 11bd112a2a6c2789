"""The directions of imports, also of those inside functions and for type checkers alone."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from keras_chrome.__main__ import VERBS

ROOT = Path(__file__).parents[1]
PACKAGES = {"tfds_remc": set(), "keras_chrome": set(), "export": {"keras_chrome"}, "serving": set()}
VERB_NAMES = {verb for verbs in VERBS.values() for verb in verbs}
# The verbs that a verb may build on.
BELOW = {
    "fit": {"evaluate"},
    "ensemble": {"evaluate"},
    "search": {"fit"},
    "sweep": {"fit", "leaderboard"},
    "faithfulness": {"fit"},
    "__init__": VERB_NAMES,  # the package's own, which has each of them as a function
}
# What a file of a verb's folder may not see; the others compute, and see none of these.
UPPER = {"figure", "output", "__main__"}
HIDDEN = {
    "figure": {"output", "__main__"},
    "output": {"__main__"},
    "__main__": set(),
    "__init__": set(),
}


def imports(package: str) -> dict[str, set[str]]:
    """The modules of ours that each module of a package imports; a folder's own is `__init__`."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[module] = {
            f"{name}.__init__"
            if (ROOT / name.replace(".", "/") / "__init__.py").is_file()
            else name
            for node in ast.walk(ast.parse(path.read_text()))
            for name in _imported(node, module)
            if name.split(".")[0] in PACKAGES
        }
    return found


def _imported(node: ast.AST, module: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = module.split(".")[: -node.level] if node.level else []
    name = ".".join([*above, *filter(None, [node.module])])
    names = [f"{name}.{alias.name}" for alias in node.names]
    is_module = [(ROOT / n.replace(".", "/")).with_suffix(".py").is_file() for n in names]
    return [n for n, is_one in zip(names, is_module, strict=True) if is_one] or [name]


def test_packages_meet_on_disk_alone() -> None:
    for package, may_import in PACKAGES.items():
        for module, imported in imports(package).items():
            others = {name.split(".")[0] for name in imported} - {package}
            assert others <= may_import, module


def test_no_import_goes_in_a_circle() -> None:
    for package in PACKAGES:
        TopologicalSorter(imports(package)).prepare()  # It raises CycleError, which names them.


def test_rooms_build_on_rooms_below_them() -> None:
    rooms: dict[str, set[str]] = {}
    for module, imported in imports("keras_chrome").items():
        room, *file = module.split(".")[1:]
        others = {name.split(".")[1] for name in imported} - {room}
        assert others & VERB_NAMES <= BELOW.get(room, set()), module
        if room in VERB_NAMES and file:
            own = {name.split(".")[2] for name in imported if name.split(".")[1] == room}
            assert not own & HIDDEN.get(file[0], UPPER), module
        rooms.setdefault(room, set()).update(others)
    TopologicalSorter(rooms).prepare()
