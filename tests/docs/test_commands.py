"""No page names an option that is not there, and no page's Python is not Python."""

import ast
import re

import pytest
import site_blocks
import site_commands

PAGES = site_blocks.pages()
OURS = {
    command.module.removesuffix(".__main__"): command for command in site_commands.all_commands()
}
# Words that stand for others: such a line is not parsed, but its options are known all the same.
PLACEHOLDER = re.compile(r"\.\.\.|\$|^OWN$")
SHELL = ("", "sh", "bash")


def our_command(words: list[str]) -> tuple[str, list[str]] | None:
    """The module that a command runs, and what it is given; None if it is none of ours."""
    if words[0].endswith("keras-chrome") and len(words) > 1 and words[1] != "help":
        return f"keras_chrome.{words[1].replace('-', '_')}", words[2:]
    if words[0].rpartition("/")[2] in ("python", "python3") and words[1:2] == ["-m"]:
        return words[2], words[3:]
    return None


@pytest.mark.parametrize("page", PAGES)
def test_commands_take_their_options(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for block in site_blocks.blocks_of(page):
        if block.language not in SHELL:
            continue
        try:
            commands = site_blocks.commands_of(block.text)
        except ValueError:
            assert block.language == "", f"{block}: no shell"
            continue
        for words in commands:
            ours = our_command(words)
            if ours is None or ours[0].partition(".")[0] not in (
                *("keras_chrome", "tfds_remc", "export", "serving"),
            ):
                continue
            module, arguments = ours
            assert module in OURS, f"{block}: no command {module}"
            parser = site_commands.parser_of(OURS[module].module)
            if any(PLACEHOLDER.search(argument) for argument in arguments):
                known = set(parser._option_string_actions)
                given = {
                    argument.partition("=")[0].replace("_", "-")
                    for argument in arguments
                    if argument.startswith("--")
                }
                assert given <= known, f"{block}: {module} has no {', '.join(given - known)}"
                continue
            try:
                parser.parse_args(arguments)
            except SystemExit as exited:
                said = "".join(capsys.readouterr())
                assert exited.code == 0, f"{block}: {module} {' '.join(arguments)}: {said}"


@pytest.mark.parametrize("page", PAGES)
def test_python_is_python(page: str) -> None:
    for block in site_blocks.blocks_of(page):
        if block.language == "python":
            ast.parse(block.text, filename=str(block))


def test_a_shell_is_read_as_a_shell_reads_it() -> None:
    shell = (
        "A=1 python -m x --a 'b\nc' \\\n    --d  # not this; nor this\n"
        "for e in 1; do y $e; done\nz &"
    )
    assert site_blocks.commands_of(shell) == [
        ["python", "-m", "x", "--a", "b\nc", "--d"],
        ["for", "e", "in", "1"],
        ["y", "$e"],
        ["done"],
        ["z"],
    ]


def test_an_option_that_is_not_there_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    parser = site_commands.parser_of(OURS["keras_chrome.attend"].module)
    with pytest.raises(SystemExit):
        parser.parse_args(["runs/a", "--polt", "PAX5"])
    assert "--polt" in capsys.readouterr().err
