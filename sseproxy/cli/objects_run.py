"""Running a bulk tool: report, progress bar, summary, exit code."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import typer

from sseproxy.bootstrap import run_with_tools
from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import Listed, Scope
from sseproxy.bulk.job import Job
from sseproxy.bulk.outcome import Outcome, Tally
from sseproxy.bulk.report import Before, Report, RunName
from sseproxy.bulk.runner import run_bulk
from sseproxy.cli.failures import FAILED, foreseeable_failures
from sseproxy.cli.objects_options import Options
from sseproxy.cli.objects_progress import Bar, human_size, progress_bar
from sseproxy.errors import ConfigurationError

Seen = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class _Sink:
    """Everything that is told of outcomes: the tallies, the report, the bar, and who else wants the lines."""

    report: Report | None
    bar: Bar
    seen: Seen
    uneventful: frozenset[str]
    tally: Tally = field(default_factory=Tally)
    this_pass: Tally = field(default_factory=Tally)
    passes: int = 1
    resumed: int = 0  # objects that an earlier run worked on

    def add(self, outcome: Outcome) -> None:
        line = outcome.line()
        if self.passes > 1:
            if outcome.outcome in self.uneventful:
                self.this_pass.add(line)
                return
            line["pass"] = self.passes
        if self.report is not None:
            self.report.write(line)
        self.count(line)
        if outcome.problem is not None:
            self.bar.tell(f"{outcome.key}: {outcome.outcome}: {outcome.problem}")
        self.bar.show(self.tally)

    def count(self, line: Mapping[str, Any]) -> None:
        self.tally.add(line)
        self.this_pass.add(line)
        self.seen(line)

    def listed(self, count: int, *, all_of_them: bool) -> None:
        self.bar.listed(self.resumed + count, all_of_them=all_of_them)


def run_job(job: Job, options: Options, seen: Seen | None = None) -> Tally:
    """Run a tool and show its summary; `finish_job` then ends the command.

    `seen` gets every line about an object, also those of the run that is resumed.
    """
    with foreseeable_failures():
        if options.resume and options.report is None:
            raise ConfigurationError("--resume goes on from a report: name it with --report")
        with progress_bar(job.name) as bar, _open_sink(job, options, bar, seen or _ignore) as (sink, before):
            notes = run_with_tools(options.place, lambda tools: _run(tools, job, options, sink, before))
            if sink.report is not None:
                sink.report.write({"event": "end", "time": _now().isoformat(), **sink.tally.document()})
    _show(job, options, sink.tally, notes)
    return sink.tally


def finish_job(tally: Tally) -> None:
    """End the command with its exit code: 0, or 1 where there were problems."""
    if tally.problems:
        raise typer.Exit(FAILED)


async def _run(tools: Tools, job: Job, options: Options, sink: _Sink, before: Before) -> Sequence[str]:
    scope = Scope(bucket=options.bucket, prefix=options.prefix, start_after=before.behind)

    async def work(item: Listed) -> Outcome:
        return await job.work(tools, scope, item)

    async def again(items: AsyncGenerator[Listed]) -> Tally:
        sink.passes, sink.this_pass, sink.resumed = sink.passes + 1, Tally(), 0
        await run_bulk(items, work, sink, concurrency=options.concurrency)
        return sink.this_pass

    notes = [*await job.begin(tools, scope)]
    items = _left_to_do(job.items(tools, scope), before)
    await run_bulk(items, work, sink, concurrency=options.concurrency)
    scope = replace(scope, start_after="")
    return [*notes, *await job.end(tools, scope, sink.tally, before.began, again)]


async def _left_to_do(items: AsyncGenerator[Listed], before: Before) -> AsyncGenerator[Listed]:
    async with aclosing(items):
        async for item in items:
            if not before.worked_on(item.key, item.version_id):
                yield item


@contextmanager
def _open_sink(job: Job, options: Options, bar: Bar, seen: Seen) -> Iterator[tuple[_Sink, Before]]:
    """Open the report, new or the one to go on from."""
    name = RunName(tool=job.name, bucket=options.bucket, prefix=options.prefix, dry_run=options.dry_run)
    sink, before = _Sink(report=None, bar=bar, seen=seen, uneventful=job.uneventful), Before(began=_now())
    if options.report is not None and options.resume:
        sink.report, before = Report.resume(options.report, name, _now(), sink.count)
        sink.resumed = sink.tally.objects
    elif options.report is not None:
        sink.report = Report.begin(options.report, name, _now())
    try:
        yield sink, before
    finally:
        if sink.report is not None:
            sink.report.close()


def _show(job: Job, options: Options, tally: Tally, notes: Sequence[str]) -> None:
    if options.as_json:
        document = {"tool": job.name, "bucket": options.bucket, "prefix": options.prefix, "dry_run": options.dry_run}
        typer.echo(json.dumps(document | tally.document() | {"notes": list(notes)}, indent=2))
        return
    where = f"{options.bucket}/{options.prefix}" if options.bucket else "the state bucket"
    dry = " (dry run: nothing was changed)" if options.dry_run else ""
    typer.echo(f"{job.name} of {where}: {tally.objects:,} objects, {human_size(tally.size)}{dry}")
    for word, share in sorted(tally.outcomes.items()):
        typer.echo(f"  {word:20} {share.objects:>12,}  {human_size(share.size):>12}")
    for note in notes:
        typer.echo(note)


def _ignore(line: Mapping[str, Any]) -> None:
    del line


def _now() -> datetime:
    return datetime.now(UTC)
