"""`sseproxy objects repair`: restore lost envelopes from the recovery records in the objects."""

from typing import Annotated

import typer

from sseproxy.bulk.repairing import Repair, RepairWishes
from sseproxy.cli.objects_options import (
    Bucket,
    Concurrency,
    DryRun,
    Json,
    NobodyWrites,
    Options,
    Prefix,
    ReportFile,
    Resume,
)
from sseproxy.cli.objects_run import finish_job, run_job
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of

OneKey = Annotated[str | None, typer.Option("--key", metavar="KEY", help="This object alone.")]
FromBucket = Annotated[
    str | None, typer.Option("--from-bucket", metavar="OLD", help="The bucket that the objects were sealed in.")
]
FromKey = Annotated[
    str | None, typer.Option("--from-key", metavar="OLD", help="With --key: the key that it was sealed under.")
]


def repair(
    *,
    bucket: Bucket,
    prefix: Prefix = "",
    key: OneKey = None,
    from_bucket: FromBucket = None,
    from_key: FromKey = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    concurrency: Concurrency = 16,
    dry_run: DryRun = False,
    nobody_writes: NobodyWrites = False,
    report: ReportFile = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Restore the envelopes of objects whose metadata was lost or damaged, from the copies within the objects.

    Nothing is written unless the copy opens the object's own footer. Other metadata that was lost stays lost.

    Exit codes: 0 everything opens, 1 something could not be repaired, 2 wrong arguments or configuration.
    """
    if from_key is not None and key is None:
        raise typer.BadParameter("--from-key is about one object: name it with --key")
    if key is not None and prefix:
        raise typer.BadParameter("--key names one object, --prefix many: give one of the two")
    options = Options(
        place=place_of(config, data),
        bucket=bucket,
        prefix=key or prefix,
        concurrency=concurrency,
        report=report,
        resume=resume,
        dry_run=dry_run,
        as_json=as_json,
    )
    wishes = RepairWishes(
        key=key, from_bucket=from_bucket, from_key=from_key, dry_run=dry_run, nobody_writes=nobody_writes
    )
    finish_job(run_job(Repair(wishes), options))
