"""The progress bar of bulk tools, on standard error; nothing where that is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sseproxy.bulk.outcome import Tally


class Bar:
    """What is done, of how much, with how many problems. The total is known once the listing has ended."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=None, known=0, of="", size="", problems="")

    def show(self, tally: Tally) -> None:
        """Show how far it is."""
        problems = f"[red]{tally.problems:,} problems" if tally.problems else ""
        self._progress.update(self._task, completed=tally.objects, size=human_size(tally.size), problems=problems)

    def looked_at(self, count: int) -> None:
        """Show how many were looked at, where nobody knows of how many."""
        self._progress.update(self._task, completed=count)

    def listed(self, count: int, *, all_of_them: bool) -> None:
        """Show how many there are; while they are being listed, at least."""
        if all_of_them:
            self._progress.update(self._task, total=count, of=f"/{count:,}")

    def tell(self, text: str) -> None:
        """Write a line above the bar, whatever a key in it is made of."""
        printable = text.encode("utf-8", "backslashreplace").decode()
        self._progress.console.print(printable, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """Show a bar while the context is open."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,}{task.fields[of]}"),
        TextColumn("{task.fields[size]}"),
        TextColumn("{task.fields[problems]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield Bar(progress, title)


def human_size(size: int) -> str:
    """Return a number of bytes for people, in units of 1,024."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} PiB"
