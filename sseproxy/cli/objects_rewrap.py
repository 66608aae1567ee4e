"""`sseproxy objects rewrap`: to the newest version of each object's CMK, to another CMK, or from another bucket."""

from typing import Annotated

import typer

from sseproxy.bulk.rewrapping import Rewrapping, RewrapWishes
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

ToKey = Annotated[
    str | None,
    typer.Option("--to-key", metavar="KEY", help="Another CMK, by id or alias, for objects that KMS encrypts."),
]
Aes256Too = Annotated[
    bool, typer.Option("--aes256-too", help="With --to-key: objects under the service key too; they become KMS ones.")
]
FromBucket = Annotated[
    str | None,
    typer.Option(
        "--from-bucket",
        metavar="OLD",
        help="The bucket that a backup or replica was made of, by its name at the store.",
    ),
]


def rewrap(
    *,
    bucket: Bucket,
    prefix: Prefix = "",
    to_key: ToKey = None,
    aes256_too: Aes256Too = False,
    from_bucket: FromBucket = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    concurrency: Concurrency = 16,
    dry_run: DryRun = False,
    nobody_writes: NobodyWrites = False,
    report: ReportFile = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Wrap the data keys of objects anew: metadata alone is written, the sealed bytes stay as they are.

    With --from-bucket objects that were copied here behind the proxy, from another bucket, become readable again.
    A run that was interrupted is started again: what is as it should be is not touched.

    Exit codes: 0 all are as wished, 1 there were problems, 2 wrong arguments or configuration.
    """
    if aes256_too and to_key is None:
        raise typer.BadParameter("--aes256-too says more about --to-key: give that as well")
    options = Options(
        place=place_of(config, data),
        bucket=bucket,
        prefix=prefix,
        concurrency=concurrency,
        report=report,
        resume=resume,
        dry_run=dry_run,
        as_json=as_json,
    )
    wishes = RewrapWishes(
        to_key=to_key,
        aes256_too=aes256_too,
        from_bucket=from_bucket,
        dry_run=dry_run,
        nobody_writes=nobody_writes,
    )
    finish_job(run_job(Rewrapping(wishes), options))
