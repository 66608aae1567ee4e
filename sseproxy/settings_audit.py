"""Settings of the audit log (section `audit`)."""

from pydantic import Field

from sseproxy.settings_base import Section


class AuditSettings(Section):
    """The log of who used which key."""

    path: str | None = Field(
        default=None, min_length=1, description="file that gets a JSON line per use of a key; `-`: standard output"
    )
