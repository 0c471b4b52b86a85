"""The command lines of README.md, docs/ and examples/ are such as `hepml` takes."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

import click
import pytest

from hepml.cli.main import hepml as program

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.*"))]
LINE = re.compile(r"^(hepml [a-z].*)$", re.MULTILINE)
INLINE = re.compile(r"`(hepml [a-z][^`]*)`")


def words_of(text: str) -> list[list[str]]:
    """Of each command line, up to what the shell does with its output."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    all_words = [shlex.split(line, comments=True) for line in LINE.findall(joined)]
    return [[*takewhile(lambda word: word not in {"|", "<", ">", "&&", "&"}, words)] for words in all_words]


def found() -> list[tuple[str, list[str]]]:
    out = []
    for file in FILES:
        if file.suffix not in {".md", ".sh", ".sub"} or not file.is_file():
            continue
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".md":
            text = "".join(
                body for kind, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S) if not kind
            )
        out += [(file.name, words) for words in words_of(text)]
    return out


@pytest.mark.parametrize(("file", "words"), found(), ids=lambda one: one if isinstance(one, str) else " ".join(one))
def test_a_command_line_has_arguments_that_hepml_takes(file: str, words: list[str]) -> None:
    name, *rest = words[1:]
    with click.Context(program) as context:
        command = program.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            name, *rest = rest
            command = command.get_command(context, name)
            assert command is not None, name
        command.make_context(name, rest, parent=context)


def named(words: list[str]) -> click.Command | None:
    """The command that words begin with, of a group if it is one."""
    command: click.Command | None = program
    for word in words:
        if not isinstance(command, click.Group):
            break
        with click.Context(command) as context:
            inner = command.get_command(context, word)
        if inner is None and command is not program:
            break
        command = inner
    return command


def test_options_named_in_sentences_exist() -> None:
    wrong = []
    for file in FILES:
        if file.suffix != ".md":
            continue
        for text in INLINE.findall(file.read_text(encoding="utf-8")):
            words = text.split()[1:]
            command = named(words)
            options = set() if command is None else {word for one in command.params for word in one.opts}
            options |= {"--help"}
            if command is None or {word for word in words if re.match("--?[a-z]", word)} - options:
                wrong.append((file.name, text))
    assert not wrong
