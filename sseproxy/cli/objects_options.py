"""The options that the bulk tools share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sseproxy.settings import Settings

Bucket = Annotated[str, typer.Option("--bucket", metavar="BUCKET", help="The bucket, by its name at the store.")]
Key = Annotated[str, typer.Option("--key", metavar="KEY", help="The object's key.")]
Prefix = Annotated[str, typer.Option("--prefix", metavar="TEXT", help="Only keys that begin with this.")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, max=256, help="How many objects at once.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; nothing is changed.")]
NobodyWrites = Annotated[
    bool,
    typer.Option("--nobody-writes", help="Go on where the storage cannot protect what others write meanwhile."),
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write a line of JSON per object into a new file.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where the run ended that wrote the --report file, and extend it.")
]
Json = Annotated[bool, typer.Option("--json", help="Write the summary as JSON.")]

AllVersions = Annotated[
    bool, typer.Option("--all-versions", help="Look at old versions too, not at the present objects alone.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What every bulk tool is told."""

    place: Settings | Path
    bucket: str
    prefix: str
    concurrency: int
    report: Path | None
    resume: bool
    dry_run: bool = False
    as_json: bool = False
