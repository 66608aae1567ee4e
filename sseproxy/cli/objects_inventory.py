"""`sseproxy objects inventory`: which object, which algorithm, which CMK and version."""

import csv
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from sseproxy.bulk.outcome import Tally
from sseproxy.bulk.stocktaking import COLUMNS, Inventory
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.cli.objects_options import (
    AllVersions,
    Bucket,
    Concurrency,
    Json,
    Options,
    Prefix,
    ReportFile,
    Resume,
)
from sseproxy.cli.objects_progress import human_size
from sseproxy.cli.objects_run import Seen, finish_job, run_job
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of

_WIDTH = 40  # characters of the longest bar

CsvFile = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a row per object into this file.")]


def inventory(
    *,
    bucket: Bucket,
    prefix: Prefix = "",
    config: ConfigPlace = None,
    data: DataPlace = None,
    concurrency: Concurrency = 16,
    report: ReportFile = None,
    resume: Resume = False,
    all_versions: AllVersions = False,
    csv_file: CsvFile = None,
    as_json: Json = False,
) -> None:
    """Tell of every object how it is sealed, under which CMK and version, and show how they share the bucket.

    Exit codes: 0 done, 1 something has an envelope that cannot be read, 2 wrong arguments or configuration.
    """
    options = Options(
        place=place_of(config, data),
        bucket=bucket,
        prefix=prefix,
        concurrency=concurrency,
        report=report,
        resume=resume,
        as_json=as_json,
    )
    with ExitStack() as stack:
        rows = None
        if csv_file is not None:
            with foreseeable_failures():
                rows = _rows(stack, csv_file)
        tally = run_job(Inventory(all_versions=all_versions), options, rows)
    if not as_json:
        for line in chart(tally):
            typer.echo(line)
    finish_job(tally)


def chart(tally: Tally) -> list[str]:
    """Return how the objects share algorithms and CMKs, as a bar of text each; the longest first."""
    shares = sorted(tally.groups.items(), key=lambda share: (-share[1].objects, share[0]))
    if not shares:
        return []
    name_width, most = max(len(name) for name, _ in shares), shares[0][1].objects
    lines = [""]
    for name, share in shares:
        bar = "█" * max(1, round(_WIDTH * share.objects / most))
        count, percent = f"{share.objects:,}", 100 * share.objects / sum(each.objects for _, each in shares)
        lines.append(f"{name:{name_width}}  {bar:{_WIDTH}} {count:>10} {percent:5.1f}%  {human_size(share.size):>10}")
    return lines


def _rows(stack: ExitStack, path: Path) -> Seen:
    """Open a CSV file anew and return what writes a row of it."""
    file = stack.enter_context(path.open("w", newline="", encoding="utf-8", errors="backslashreplace"))
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
    writer.writeheader()

    def write(line: Mapping[str, Any]) -> None:
        writer.writerow({name: line.get(name) for name in COLUMNS})

    return write
