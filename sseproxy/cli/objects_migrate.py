"""`sseproxy objects migrate`: seal what is plain, in place."""

from sseproxy.bulk.migration import Migration
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


def migrate(
    *,
    bucket: Bucket,
    prefix: Prefix = "",
    config: ConfigPlace = None,
    data: DataPlace = None,
    concurrency: Concurrency = 16,
    dry_run: DryRun = False,
    nobody_writes: NobodyWrites = False,
    report: ReportFile = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Seal every object that is plain, in place, under the bucket's default encryption; then mark the bucket sealed.

    A run that was interrupted is started again: what is sealed is not touched. Metadata, tags, ACL and storage class
    stay; Last-Modified is the time of the sealing, as the store sets it.

    Exit codes: 0 nothing plain is left, 1 there were problems, 2 wrong arguments or configuration.
    """
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
    finish_job(run_job(Migration(dry_run=dry_run, nobody_writes=nobody_writes), options))
