"""`sseproxy keys import-parameters|import|delete-material`: bringing one's own key."""

import binascii
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap.keys import run_with_keys
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.cli.keys_options import Json, KeyId, change_known_key, moment_in
from sseproxy.cli.keys_showing import show_json
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.importing import Import, ImportParameters, WrappingAlgorithm, WrappingKeySpec

_MODULI = frozenset({256, 384, 512})  # bytes of what RSA-2048, 3072 and 4096 wrap
_MOST_BYTES = 4096

Algorithm = Annotated[
    WrappingAlgorithm, typer.Option("--wrapping-algorithm", help="How the material will be wrapped for its way.")
]
Spec = Annotated[WrappingKeySpec, typer.Option("--wrapping-key-spec", help="Under which key.")]
PublicKeyFile = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE", help="Write the public key there (DER).")
]
TokenFile = Annotated[Path | None, typer.Option("--token", metavar="FILE", help="Write the import token there.")]
Token = Annotated[str, typer.Option("--token", metavar="FILE|TEXT", help="The import token: its file, or itself.")]
Material = Annotated[
    Path, typer.Option("--material", metavar="FILE", help="The wrapped material, as it is or in base64.")
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="When the material goes by itself; absent: never.")
]


def import_parameters(
    key_id: KeyId,
    *,
    wrapping_algorithm: Algorithm = WrappingAlgorithm.OAEP_SHA_256,
    wrapping_key_spec: Spec = WrappingKeySpec.RSA_4096,
    public_key: PublicKeyFile = None,
    token: TokenFile = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Get a public key to wrap material under, and the token that goes with it; both are good for 24 hours."""

    async def work(kms: EmbeddedKms) -> ImportParameters:
        return await kms.import_parameters(key_id, wrapping_algorithm, wrapping_key_spec)

    with foreseeable_failures():
        parameters = run_with_keys(place_of(config, data), work)
        if public_key is not None:
            public_key.write_bytes(parameters.public_key)
        if token is not None:
            token.write_text(_text(parameters.token) + "\n", encoding="ascii")
        _show(parameters, wrapping_key_spec, as_json=as_json)


def import_material(
    key_id: KeyId,
    *,
    token: Token,
    material: Material,
    expires: Expires = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Import material that was wrapped under the public key of import-parameters."""
    until = None if expires is None else moment_in(expires)
    with foreseeable_failures():
        wanted = Import(key_id=key_id, token=_token_in(token), wrapped=_wrapped_in(material), expires=until)
    change_known_key(config, data, key_id, lambda kms: kms.import_material(wanted), as_json=as_json)


def delete_material(
    key_id: KeyId, *, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False
) -> None:
    """Delete imported material. The same material can be imported again; until then nothing under the CMK opens."""
    change_known_key(config, data, key_id, lambda kms: kms.delete_material(key_id), as_json=as_json)


def _show(parameters: ImportParameters, spec: WrappingKeySpec, *, as_json: bool) -> None:
    document = {
        "key_id": parameters.key_id,
        "wrapping_algorithm": parameters.algorithm.value,
        "wrapping_key_spec": spec.value,
        "public_key": _text(parameters.public_key),
        "import_token": _text(parameters.token),
        "expires": parameters.expires.isoformat(),
    }
    if as_json:
        show_json(document)
        return
    for name, value in document.items():
        typer.echo(f"{name.replace('_', ' '):20}{value}")


def _token_in(text: str) -> bytes:
    path = Path(text)
    content = path.read_text(encoding="ascii") if path.is_file() else text
    try:
        return b64decode(content.strip(), validate=True)
    except (binascii.Error, UnicodeError):
        raise typer.BadParameter("--token is neither a file nor an import token") from None


def _wrapped_in(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES)
    if len(content) in _MODULI:
        return content
    try:
        return b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        raise typer.BadParameter(f"{path} holds no wrapped material: 256, 384 or 512 bytes, or base64") from None


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
