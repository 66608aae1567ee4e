"""What the documents name is there: files, sections, commands and options of the command line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sseproxy.cli.main import app

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [*DOCS, *sorted((ROOT / "sseproxy").rglob("*.py")), *sorted((ROOT / "tests").rglob("*.py"))]
OTHER_PROGRAMS = {"--endpoint-url", "--read-data"}  # aws, restic


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    """Every command of the program, by its words."""

    def below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield words, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from below(f"{words} {name}", inner)

    return dict(below("sseproxy", typer.main.get_command(app)))


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text())

    assert [link for link in links if not (document.parent / link.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_files_in_the_repository_are_called_what_they_are(document: Path) -> None:
    named = re.findall(r"`((?:benchmarks|deploy|docs|sseproxy|tests)/[\w./-]+\.\w+)`", document.read_text())

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_sections_that_are_cited_exist() -> None:
    cited = {
        (found[1], " ".join(found[2].split()))
        for path in SOURCES
        for found in re.finditer(r'docs/([\w-]+\.md),\s+"([^"]+)"', path.read_text())
    }
    headings = {
        (path.name, heading) for path in DOCS for heading in re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    }

    assert cited
    assert [
        one for one in cited if not any(one[0] == name and text.startswith(one[1]) for name, text in headings)
    ] == []


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_options_and_commands_exist(document: Path, commands: dict[str, Any]) -> None:
    text = document.read_text()
    options = {name for command in commands.values() for option in command.params for name in option.opts}
    words = set(commands)
    groups = "|".join({one.split()[1] for one in words if one.count(" ") == 2})

    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", text)) - options - OTHER_PROGRAMS == set()
    assert set(re.findall(rf"sseproxy (?:{groups}) [a-z][a-z-]+", text)) - words == set()
