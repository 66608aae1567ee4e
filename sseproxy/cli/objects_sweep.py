"""`sseproxy objects sweep`: remove what dead uploads left in the state bucket."""

from datetime import timedelta
from typing import Annotated

import typer

from sseproxy.bulk.sweeping import Sweep, SweepWishes
from sseproxy.cli.objects_options import Concurrency, DryRun, Json, Options, ReportFile, Resume
from sseproxy.cli.objects_run import finish_job, run_job
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of

AnyBucket = Annotated[
    str, typer.Option("--bucket", metavar="BUCKET", help="Only uploads to this bucket; absent: to all.")
]
OlderThan = Annotated[
    float, typer.Option("--older-than", metavar="HOURS", min=0, help="Leave alone what is younger than this.")
]


def sweep(
    *,
    bucket: AnyBucket = "",
    older_than: OlderThan = 24,
    config: ConfigPlace = None,
    data: DataPlace = None,
    concurrency: Concurrency = 8,
    dry_run: DryRun = False,
    report: ReportFile = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Remove the state of uploads that the store does not know any more, and nothing else.

    Uploads that are still open are the store's own: a lifecycle rule for incomplete uploads ends those, and the next
    sweep their state.

    Exit codes: 0 done, 1 there were problems, 2 wrong arguments or configuration.
    """
    options = Options(
        place=place_of(config, data),
        bucket=bucket,
        prefix="",
        concurrency=concurrency,
        report=report,
        resume=resume,
        dry_run=dry_run,
        as_json=as_json,
    )
    finish_job(run_job(Sweep(SweepWishes(older_than=timedelta(hours=older_than), dry_run=dry_run)), options))
