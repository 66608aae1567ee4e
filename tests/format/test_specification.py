"""The code names the section of the specification that each constant comes from; those sections exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPECIFICATION = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")


def test_every_section_that_the_code_names_is_there() -> None:
    sections = set(re.findall(r"^## (.+)$", SPECIFICATION, re.MULTILINE))
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "sseproxy").rglob("*.py")))

    named = {" ".join(name.split()) for name in re.findall(r'docs/format\.md,\s+"([^"]+)"', source)}

    assert len(named) > 10
    assert named <= sections
