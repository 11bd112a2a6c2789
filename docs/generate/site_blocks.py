"""The blocks of code of a page, the headings above them, and what a shell makes of them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from site_links import BROUGHT

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n`]*$")
_HEADING = re.compile(r"^(#+) (.+)$")
_NOT_RUN = re.compile(r"not run|untested", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: Path of the page in the repository.
        line: Its first line there.
        language: What stands after the fence, "" if nothing does.
        text: The code.
        headings: The headings that it stands under, outermost first.
    """

    page: str
    line: int
    language: str
    text: str
    headings: tuple[str, ...]

    @property
    def is_run(self) -> bool:
        """Whether no heading above it says that nobody has run it."""
        return not any(_NOT_RUN.search(heading) for heading in self.headings)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """The paths of README.md and of all pages of the site that somebody has written."""
    own = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return ["README.md", *own, *BROUGHT]


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    blocks = []
    headings: list[str] = []
    lines = (ROOT / page).read_text().splitlines()
    number = 0
    while number < len(lines):
        if heading := _HEADING.match(lines[number]):
            headings[len(heading[1]) - 1 :] = [heading[2]]
        elif fence := _FENCE.match(lines[number]):
            end = lines.index(fence["indent"] + "```", number + 1)
            code = [line.removeprefix(fence["indent"]) for line in lines[number + 1 : end]]
            text = "\n".join(code) + "\n"
            blocks.append(Block(page, number + 2, fence["language"], text, tuple(headings)))
            number = end
        number += 1
    return blocks


def commands_of(shell: str) -> list[list[str]]:
    """The simple commands of a piece of shell, each as its words, without what sets variables."""
    lexer = shlex.shlex(shell.replace("\\\n", ""), posix=True, punctuation_chars=";&|\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    # What a comment ends with ends the command before it, too.
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    is_comment = False
    for word in lexer:
        if set(word) <= set(";&|\n"):
            is_comment = is_comment and "\n" not in word
            if not is_comment:
                commands.append([])
        elif is_comment or word.startswith("#"):
            is_comment = True
        elif commands[-1] or not re.match(r"\w+=|do$|then$|nice$", word):
            commands[-1].append(word)
    return [command for command in commands if command]
