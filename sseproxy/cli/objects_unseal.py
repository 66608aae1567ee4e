"""`sseproxy objects unseal`: open a downloaded object without proxy and store."""

from base64 import b64decode
from binascii import Error as Base64Error
from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap import run_with_keyring
from sseproxy.bulk.unsealing import SealedFile, unseal_file
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.cli.objects_options import Bucket, Key
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.errors import ConfigurationError, EnvelopeRejected
from sseproxy.format import decode_envelope
from sseproxy.model import CustomerKey, ObjectRef
from sseproxy.operations.keyring import Keyring

_LONGEST_FILE = 16 * 1024  # bytes of a file with an envelope
_KEY = 32  # bytes

Source = Annotated[Path, typer.Argument(metavar="FILE", help="The sealed object as the store holds it.")]
Target = Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Where the plaintext goes.")]
EnvelopeText = Annotated[
    str | None,
    typer.Option(
        "--envelope",
        metavar="TEXT|FILE",
        help="The value of the object's metadata `sseproxy`, or a file with it; absent: the copy within FILE.",
    ),
]
CustomerKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--customer-key", metavar="FILE", help="The client's own key (SSE-C), if it has one: 32 bytes, or base64."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")]


def unseal(
    *,
    source: Source,
    output: Target,
    bucket: Bucket,
    key: Key,
    envelope: EnvelopeText = None,
    customer_key: CustomerKeyFile = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    force: Force = False,
) -> None:
    """Open a downloaded sealed object with nothing but the key service: neither proxy nor store is asked.

    Bucket and key are those that the object was sealed under; of an object that was copied, the copy within FILE names
    the original. OUT appears only when all of it has been verified.

    Exit codes: 0 done, 1 it does not open (OUT is not written), 2 wrong arguments or configuration.
    """
    with foreseeable_failures():
        place = place_of(config, data)
        sealed = SealedFile(
            path=source,
            ref=ObjectRef(bucket, key),
            envelope=None if envelope is None else decode_envelope(_envelope_text(envelope)),
            customer_key=None if customer_key is None else _customer_key(customer_key),
        )

        async def work(keyring: Keyring) -> int:
            return await unseal_file(keyring, sealed, output, replace=force)

        size = run_with_keyring(place, work)
    typer.echo(f"{output}: {size:,} bytes, verified")


def _envelope_text(given: str) -> str:
    """Return an envelope that is given as such, or as the name of a file that holds it."""
    path = Path(given)
    try:
        is_file = path.is_file()
    except OSError:  # a text that is too long for a name
        is_file = False
    if not is_file:
        return given.strip()
    with path.open("rb") as file:
        data = file.read(_LONGEST_FILE + 1)
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError as cause:
        raise EnvelopeRejected(f"{given} does not hold an envelope.") from cause


def _customer_key(path: Path) -> CustomerKey:
    data = path.read_bytes()
    if len(data) != _KEY:
        try:
            data = b64decode(data.strip(), validate=True)
        except Base64Error:
            data = b""
    if len(data) != _KEY:
        raise ConfigurationError(f"{path} does not hold a key: 32 bytes, or the base64 of 32 bytes.")
    return CustomerKey(data)
