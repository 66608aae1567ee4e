"""From a TOML file and the environment to `Settings`: the only place that reads either.

`SSEPROXY_<SECTION>__<KEY>` overrides a key of the file; lists and tables are written as JSON. Unknown keys and
variables are refused. A secret is a string, or a reference: `{ file = "/path" }` or `{ env = "NAME" }`. Everything
that is wrong is told at once.
"""

import os
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from sseproxy.dialect import DIALECTS
from sseproxy.errors import ConfigurationError
from sseproxy.format import is_available
from sseproxy.model import Algorithm, Suite
from sseproxy.settings import EncryptionSettings, Settings
from sseproxy.settings_lending import from_variables

PREFIX = "SSEPROXY_"
_SEPARATOR = "__"
_MOST_SECRET_BYTES = 64 * 1024
_UNRESOLVED = "unresolved"  # stands in for a secret that was already complained about


def load_settings(path: Path) -> Settings:
    """Read the configuration file and the environment.

    Raises `ConfigurationError` whose message lists everything that is wrong, one line each:
    `section.key: what is wrong; what to do`.
    """
    document = _read_document(path)
    problems = _misspelled_variables(os.environ)
    secrets = _Secrets(os.environ, problems)
    if _is_open_to_everybody(path) and _has_plain_secret(document):
        problems.append(
            f"{path}: holds secrets and can be read by every user; chmod o-rw it, or refer to secrets by file or env"
        )
    merged = _merge(document, _environment(problems))
    resolved = _map_secrets(_with_lenders(merged, os.environ), Settings, "", secrets.resolve)
    settings = _validate(resolved, problems)
    if settings is not None:
        problems += [*_file_problems(settings), *_dialect_problems(settings)]
    if settings is None or problems:
        raise ConfigurationError(_report(path, problems))
    return settings


def _report(path: Path, problems: Sequence[str]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{path}: {count} in the configuration", *(f"  {problem}" for problem in problems)])


def _read_document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise ConfigurationError(f"{path}: cannot be read ({cause.strerror}); give the configuration's path") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigurationError(f"{path}: is not valid TOML: {cause}; correct it") from cause


# ---- environment ----


class _Environment(Settings, BaseSettings):
    """The shape by which pydantic-settings reads the environment; never instantiated."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)


def _environment(problems: list[str]) -> dict[str, Any]:
    source = EnvSettingsSource(_Environment, case_sensitive=False, env_prefix=PREFIX, env_nested_delimiter=_SEPARATOR)
    try:
        return source()
    except SettingsError as cause:
        problems.append(f"{PREFIX}…: {cause}; write lists and tables as JSON")
        return {}


def _misspelled_variables(environ: Mapping[str, str]) -> list[str]:
    """Complain about variables that look like overrides and are none.

    Others with our prefix are left alone: Kubernetes sets `SSEPROXY_PORT` and more for a Service of that name.
    """
    known = frozenset(_variables(Settings))
    found = []
    for name in sorted(environ):
        rest = name.upper().removeprefix(PREFIX)
        if not name.upper().startswith(PREFIX) or rest in known or rest.lower() in Settings.model_fields:
            continue
        section, separated, _ = rest.partition(_SEPARATOR)
        if separated and section.lower() in Settings.model_fields:
            continue  # an unknown key of a section is found by the validation as a whole
        close = get_close_matches(rest, known, n=1, cutoff=0.8)
        if separated or close or rest.partition("_")[0].lower() in Settings.model_fields:
            hint = f"did you mean {PREFIX}{close[0]}?" if close else f"overrides are {PREFIX}<SECTION>{_SEPARATOR}<KEY>"
            found.append(f"{name}: is not a setting; {hint}")
    return found


def _variables(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every setting outside of lists and tables, as the rest of its variable's name."""
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _variables(inner, f"{prefix}{name.upper()}{_SEPARATOR}")
        else:
            yield prefix + name.upper()


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both documents as one; what is in `above` counts, tables are merged key by key.

    A reference to a secret is one value: it replaces what it overrides instead of being merged into it.
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merge_tables = isinstance(old, Mapping) and isinstance(value, Mapping) and not _is_reference(value)
        merged[key] = _merge(old, value) if merge_tables and isinstance(old, Mapping) else value
    return merged


def _with_lenders(document: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with what the platform's variables say of the lenders of credentials that it names."""
    lent = {key: _lent(document[key], environ) for key in ("upstream", "remote_kms") if key in document}
    return {**document, **lent}


def _lent(value: object, environ: Mapping[str, str]) -> object:
    if not isinstance(value, Mapping):
        return value
    table = {key: _lent(item, environ) for key, item in value.items()}
    return {**from_variables(table.get("source", table.get("credentials")), table, environ), **table}


# ---- secrets ----


def _is_reference(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and set(value) <= {"file", "env"}


@dataclass(slots=True)
class _Secrets:
    """Replaces references to secrets by what they refer to, and notes what is wrong with them."""

    environ: Mapping[str, str] = field(repr=False)
    problems: list[str]

    def resolve(self, value: object, where: str) -> object:
        """Return the secret that `value` is or refers to."""
        if not isinstance(value, Mapping):
            return value
        reference = value.get("file") if "file" in value else value.get("env")
        if not _is_reference(value) or not isinstance(reference, str):
            self.problems.append(
                f'{where}: is not a secret; write a string, {{ file = "/path" }} or {{ env = "NAME" }}'
            )
            return _UNRESOLVED
        secret = (
            self._from_file(Path(reference), where) if "file" in value else self._from_environment(reference, where)
        )
        return secret or _UNRESOLVED

    def _from_environment(self, name: str, where: str) -> str:
        secret = self.environ.get(name, "")
        if not secret:
            self.problems.append(f"{where}: refers to the variable {name}, which is not set; set it")
        return secret

    def _from_file(self, path: Path, where: str) -> str:
        problem = _secret_file_problem(path)
        if problem is None:
            with path.open("rb") as file:
                content = file.read(_MOST_SECRET_BYTES)
            try:
                secret = content.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                secret = ""
            if secret:
                return secret
            problem = "is empty or not UTF-8 text; write the secret into it"
        self.problems.append(f"{where}: {path} {problem}")
        return ""


def _map_secrets(value: Any, annotation: Any, where: str, replace: Callable[[object, str], object]) -> Any:  # noqa: ANN401
    """Return `value`, a document that is to become an `annotation`, with every secret in it replaced."""
    if _is_secret(annotation):
        if isinstance(value, list):
            return [replace(item, f"{where}[{position}]") for position, item in enumerate(value)]
        return replace(value, where)
    model = _model_in(annotation)
    if model is not None and isinstance(value, list):
        return [_map_secrets(item, model, f"{where}[{position}]", replace) for position, item in enumerate(value)]
    if model is None or not isinstance(value, Mapping):
        return value
    if get_origin(annotation) is dict:
        inner: dict[str, Any] = dict.fromkeys(value, model)
    else:
        inner = {key: model.model_fields[key].annotation for key in value if key in model.model_fields}
    return {
        key: _map_secrets(item, inner[key], f"{where}.{key}".lstrip("."), replace) if key in inner else item
        for key, item in value.items()
    }


def _has_plain_secret(document: Mapping[str, Any]) -> bool:
    found: list[object] = []

    def note(value: object, _where: str) -> object:
        if isinstance(value, str):
            found.append(value)
        return value

    _map_secrets(document, Settings, "", note)
    return bool(found)


def _is_secret(annotation: Any) -> bool:  # noqa: ANN401  # annotations have no common type
    return annotation is SecretStr or any(_is_secret(inner) for inner in get_args(annotation))


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


# ---- validation ----


def _validate(document: Mapping[str, Any], problems: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(document)
    except ValidationError as errors:
        problems += [_explain(error) for error in errors.errors(include_url=False, include_context=False)]
        return None


def _explain(error: ErrorDetails) -> str:
    where = _label(error["loc"])
    info = _field_at(error["loc"])
    meaning = f" ({info.description})" if info is not None and info.description else ""
    match error["type"]:
        case "missing":
            what = f"is missing; set it{meaning}"
        case "extra_forbidden":
            close = get_close_matches(str(error["loc"][-1]), _siblings(error["loc"]), n=1)
            what = f"is not a setting; did you mean {close[0]}?" if close else "is not a setting; remove it"
        case "value_error":
            what = error["msg"].removeprefix("Value error, ")
        case _:
            what = f"{error['msg'][:1].lower()}{error['msg'][1:]}{_shown(error['input'], info)}; correct it{meaning}"
    return f"{where}: {what}" if where else what


def _shown(given: object, info: FieldInfo | None) -> str:
    """Return how the value that was given is told: not at all where it could be a secret."""
    if info is None or _is_secret(info.annotation) or not isinstance(given, str | int | float):
        return ""
    return f", not {given!r}"


def _label(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _field_at(location: Sequence[int | str]) -> FieldInfo | None:
    model: type[BaseModel] | None = Settings
    info = None
    for part in location:
        if model is not None and part in model.model_fields:
            info = model.model_fields[str(part)]
            model = _model_in(info.annotation)
    return info


def _siblings(location: Sequence[int | str]) -> list[str]:
    parent = _field_at(location[:-1])
    model = Settings if parent is None else _model_in(parent.annotation)
    return [] if model is None else list(model.model_fields)


# ---- files that settings name ----


def _is_open_to_everybody(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))


def _secret_file_problem(path: Path) -> str | None:
    """Say what keeps a file from being used as a secret, None if nothing does."""
    problem = _file_problem(path)
    if problem is None and _is_open_to_everybody(path):
        return "can be read or written by every user of this machine; chmod o-rw it"
    return problem


def _file_problem(path: Path) -> str | None:
    try:
        if not path.is_file():
            return "does not exist or is not a file; create it, or correct the path"
        with path.open("rb"):
            return None
    except OSError as cause:
        return f"cannot be read ({cause.strerror}); give this user the right to read it"


def _file_problems(settings: Settings) -> list[str]:
    """Check the files that settings name, so that a start does not fail one file at a time."""
    files = MappingProxyType(
        {
            "listen.tls_cert": (settings.listen.tls_cert, _file_problem),
            "listen.tls_key": (settings.listen.tls_key, _secret_file_problem),
            "upstream.ca_file": (settings.upstream.ca_file, _file_problem),
            "upstream.tls_cert": (settings.upstream.tls_cert, _file_problem),
            "upstream.tls_key": (settings.upstream.tls_key, _secret_file_problem),
            "upstream.credentials.path": (settings.upstream.credentials.path, _secret_file_problem),
            **_key_files(settings),
        }
    )
    checked = ((key, path, check(path)) for key, (path, check) in files.items() if path is not None)
    problems = [f"{key}: {path} {problem}" for key, path, problem in checked if problem]
    if settings.kms is not None and not settings.kms.database.parent.is_dir():
        directory = settings.kms.database.parent
        problems.append(f"kms.database: the directory {directory} does not exist; create it")
    return problems


def _key_files(settings: Settings) -> dict[str, tuple[Path | None, Callable[[Path], str | None]]]:
    """Return the files of key services, and how each is checked."""
    files: dict[str, tuple[Path | None, Callable[[Path], str | None]]] = {}
    for number, path in enumerate(settings.encryption.client_key_files):
        files[f"encryption.client_key_files[{number}]"] = (path, _secret_file_problem)
    if settings.kms is not None:
        files["kms.root_key_file"] = (settings.kms.root_key_file, _secret_file_problem)
    for kind, table in settings.remote_kms.tables.items():
        for name, service in table.items():
            for setting, file in service.files.items():
                files[f"remote_kms.{kind}.{name}.{setting}"] = (file, _file_problem)
    return files


def _dialect_problems(settings: Settings) -> Iterator[str]:
    """Check what only some dialects can do."""
    dialect = DIALECTS[settings.upstream.dialect]
    if settings.upstream.trailing_checksum and not dialect.checksum_headers:
        yield f"upstream.trailing_checksum: stores that speak {dialect.name} take no trailing checksums; unset it"
    if settings.upstream.lacks and not dialect.replaces_if_match:
        yield f"upstream.lacks: writes in the dialect {dialect.name} know no such conditions; unset it"
    for key, algorithm in _default_algorithms(settings.encryption):
        if algorithm is not None and algorithm not in dialect.sse.words:
            yield f"{key}: {dialect.name} has no word for {algorithm.value}; choose AES256 or KMS"
        elif algorithm is Algorithm.SM4 and not is_available(Suite.SM4_GCM):
            yield f"{key}: this host's cryptography library has no SM4; choose AES256 or KMS"


def _default_algorithms(settings: EncryptionSettings) -> Iterator[tuple[str, Algorithm | None]]:
    yield "encryption.default_algorithm", settings.default_algorithm
    for name, rule in settings.buckets.items():
        yield f"encryption.buckets.{name}.default_algorithm", rule.default_algorithm
