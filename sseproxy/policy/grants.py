"""Who may use which CMK: what the configuration says, beside what the embedded KMS keeps."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sseproxy.model import KeyUse
from sseproxy.ports import Grants
from sseproxy.settings import Grant


class ConfiguredGrants:
    """The port `Grants`: what a configuration grants, else what `others` do."""

    def __init__(self, granted: Sequence[Grant], others: Grants | None = None) -> None:
        self._granted = tuple(granted)
        self._others = others

    def allows(self, principal: str, key_id: str, use: KeyUse) -> bool:
        """Whether a principal may use the CMK with this id. An anonymous client, the empty principal, never may."""
        if not principal:
            return False
        for grant in self._granted:
            if grant.principal == principal and use in grant.uses and fnmatchcase(key_id, grant.keys):
                return True
        return self._others is not None and self._others.allows(principal, key_id, use)


class NamedClientsOnly:
    """The port `Grants`: no CMK for an anonymous client, as AWS asks for a signature; the others as `granted` says."""

    def __init__(self, granted: Grants | None) -> None:
        self._granted = granted

    def allows(self, principal: str, key_id: str, use: KeyUse) -> bool:
        """Whether a principal may use the CMK with this id."""
        return bool(principal) and (self._granted is None or self._granted.allows(principal, key_id, use))
