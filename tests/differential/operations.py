"""All cases, in the order of the table."""

from collections.abc import Iterator

from tests.differential import (
    cases_buckets,
    cases_checksums,
    cases_conditions,
    cases_copies,
    cases_listings,
    cases_objects,
    cases_signatures,
    cases_uploads,
    cases_versions,
)
from tests.differential.case import Case

_MODULES = (
    cases_objects,
    cases_conditions,
    cases_copies,
    cases_uploads,
    cases_checksums,
    cases_listings,
    cases_versions,
    cases_signatures,
    cases_buckets,
)


def _grouped(cases: tuple[Case, ...]) -> Iterator[Case]:
    """Return cases of one operation behind one another, operations in the order in which they appear first."""
    for group in dict.fromkeys(case.group for case in cases):
        yield from (case for case in cases if case.group == group)


CASES: tuple[Case, ...] = tuple(_grouped(tuple(case for module in _MODULES for case in module.CASES)))
