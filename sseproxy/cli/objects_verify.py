"""`sseproxy objects verify`: read everything, check every tag."""

from sseproxy.bulk.verification import Verification
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
from sseproxy.cli.objects_run import finish_job, run_job
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of


def verify(
    *,
    bucket: Bucket,
    prefix: Prefix = "",
    config: ConfigPlace = None,
    data: DataPlace = None,
    concurrency: Concurrency = 16,
    report: ReportFile = None,
    resume: Resume = False,
    all_versions: AllVersions = False,
    as_json: Json = False,
) -> None:
    """Read every object and check every tag: envelope, footer and its copy, all frames. Changes nothing.

    Exit codes: 0 everything is as it was sealed, 1 something was tampered with or cannot be read, 2 wrong arguments or
    configuration.
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
    finish_job(run_job(Verification(all_versions=all_versions), options))
