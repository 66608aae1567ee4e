"""Which operation a request asks for: one matcher over a table per dialect. Fails closed.

A request is told by its method, its level (service, bucket, object) and the sub-resources in its query. A sub-resource
that the table does not know is refused on every level, because the storage might know it and answer with stored bytes
or stored sizes. Names are compared exactly, as the storages do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from sseproxy.dialect.base import Operation
from sseproxy.errors import FormExpected, MethodNotAllowed, RequestError, UnsupportedFeature

_LONGEST_SHOWN = 64  # characters of a client's own word that are repeated in an error


class Level(Enum):
    """What a request names; the value is the `ResourceType` of an error document."""

    SERVICE = "SERVICE"
    BUCKET = "BUCKET"
    OBJECT = "OBJECT"


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a table: `needs` are all the sub-resources of the request, no more and no less."""

    method: str
    level: Level
    needs: frozenset[str]
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """How a dialect's requests are told apart.

    `parameters` are query names that leave the operation what it is, by level; `prefixes` begin such names on every
    level. A name that is neither a parameter nor a sub-resource is refused if it has no value or begins with one of
    `closed_prefixes`; with a value it is taken for a parameter on objects, where it changes nothing, and refused
    where it would go into a listing.
    """

    routes: tuple[Route, ...]
    parameters: Mapping[Level, frozenset[str]]
    prefixes: tuple[str, ...]
    closed_prefixes: tuple[str, ...]
    copy_source_header: str
    copies: Mapping[Operation, Operation]  # what an operation becomes with a copy source
    refused_headers: frozenset[str]  # lower case; what they ask for would read or change stored bytes
    _index: dict[tuple[str, Level, frozenset[str]], Operation] = field(init=False)
    _known: dict[Level, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        index = {(route.method, route.level, route.needs): route.operation for route in self.routes}
        if len(index) != len(self.routes):
            raise ValueError("two routes are the same")
        object.__setattr__(self, "_index", index)
        known = {level: _union(route.needs for route in self.routes if route.level is level) for level in Level}
        object.__setattr__(self, "_known", known)

    def route(
        self, method: str, bucket: str | None, key: str | None, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Operation:
        """Return the operation; `REFUSE` for everything that is not known to be safe."""
        found = self._find(method, _level(bucket, key), query, headers)
        return found if isinstance(found, Operation) else Operation.REFUSE

    def refusal(
        self, method: str, bucket: str | None, key: str | None, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> RequestError:
        """Return why `route` refuses a request, as the error to answer it with."""
        level = _level(bucket, key)
        found = self._find(method, level, query, headers)
        if isinstance(found, RequestError):
            return found
        selectors = self._selectors(level, query)
        refused_alone = {name for name in selectors if self._alone(method, level, name) is Operation.REFUSE}
        names = ", ".join(sorted(refused_alone or selectors)) or "this request"
        return UnsupportedFeature(f"This endpoint seals objects and does not support {names[:_LONGEST_SHOWN]}.")

    def _find(
        self, method: str, level: Level, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Operation | RequestError:
        if method == "OPTIONS":  # CORS preflight: carries no bytes, and the storage knows the rules
            return Operation.PASS
        selectors = self._selectors(level, query)
        if not selectors and method == "POST" and level is not Level.SERVICE:
            return self._form_or_nothing(level, headers)
        operation = self._operation(method, level, selectors)
        if operation is None:
            return self._unknown(method, level, selectors)
        if level is not Level.OBJECT or operation is Operation.REFUSE:
            return operation
        return self._by_header(operation, query, headers)

    def _operation(self, method: str, level: Level, selectors: frozenset[str]) -> Operation | None:
        operation = self._index.get((method, level, selectors))
        if operation is None and len(selectors) > 1:
            each = {self._alone(method, level, name) for name in selectors}
            if each == {Operation.PASS}:  # whichever of them the storage takes
                return Operation.PASS
            if Operation.REFUSE in each:  # whatever it comes with
                return Operation.REFUSE
        return operation

    def _alone(self, method: str, level: Level, name: str) -> Operation | None:
        return self._index.get((method, level, frozenset((name,))))

    def _by_header(
        self, operation: Operation, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Operation | RequestError:
        for name in (*headers, *query):
            if name.lower() in self.refused_headers:
                return UnsupportedFeature(Header=name.lower())
        if self.copy_source_header in headers:
            return self.copies.get(operation, operation)
        if any(name.lower() == self.copy_source_header for name in query):
            return UnsupportedFeature(Header=self.copy_source_header)  # as a parameter it would be overlooked
        return operation

    def _unknown(self, method: str, level: Level, selectors: frozenset[str]) -> RequestError:
        unknown = sorted(selectors - self._known[level])
        if unknown:
            shown = unknown[0][:_LONGEST_SHOWN]
            return UnsupportedFeature(
                f"The query parameter '{shown}' is not known here and could bypass encryption; it is refused.",
                ArgumentName=shown,
            )
        if len(selectors) <= 1:
            return self._not_allowed(method, level, selectors)
        return UnsupportedFeature(f"The query parameters {', '.join(sorted(selectors))} cannot be combined here.")

    def _not_allowed(self, method: str, level: Level, selectors: frozenset[str]) -> MethodNotAllowed:
        served = (route for route in self.routes if route.operation is not Operation.REFUSE)
        methods = sorted({route.method for route in served if route.level is level and route.needs == selectors})
        error = MethodNotAllowed(Method=method, ResourceType=level.value)
        if methods:
            error.headers["Allow"] = ", ".join(methods)
        return error

    def _form_or_nothing(self, level: Level, headers: Mapping[str, str]) -> Operation | RequestError:
        content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        if level is not Level.BUCKET:
            return self._not_allowed("POST", level, frozenset())
        if content_type.lower().startswith("multipart/form-data"):
            return Operation.POST_OBJECT
        return FormExpected(Condition=FormExpected.default)

    def _selectors(self, level: Level, query: Mapping[str, str]) -> frozenset[str]:
        """Return the names in the query that choose the operation, and those that might."""
        known, parameters = self._known[level], self.parameters[level]
        chosen = {name for name in query if name in known and name not in parameters}
        open_to_more = level is Level.OBJECT or bool(chosen)
        for name, value in query.items():
            if name in known or name in parameters or name.startswith(self.prefixes):
                continue
            closed = name.lower().startswith(self.closed_prefixes) if self.closed_prefixes else False
            if value == "" or closed or not open_to_more:
                chosen.add(name)
        return frozenset(chosen)


def on(method: str, level: Level, *needs: str, to: Operation) -> Route:
    """Return a line of a table."""
    return Route(method, level, frozenset(needs), to)


def relayed(level: Level, methods: str, *names: str) -> tuple[Route, ...]:
    """Return lines that pass sub-resources on, each alone, with any of the methods in a blank-separated list."""
    return tuple(
        Route(method, level, frozenset((name,)), Operation.PASS) for name in names for method in methods.split()
    )


def refused(level: Level, methods: str, *names: str) -> tuple[Route, ...]:
    """Return lines that refuse sub-resources, so that they are known by name."""
    return tuple(
        Route(method, level, frozenset((name,)), Operation.REFUSE) for name in names for method in methods.split()
    )


def _level(bucket: str | None, key: str | None) -> Level:
    if bucket is None:
        return Level.SERVICE
    return Level.BUCKET if key is None else Level.OBJECT


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
