"""`sseproxy dev`: everything on this machine, for trying out and for tests. Its store is not for production."""

from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap import Addresses, DevOptions, serve_dev
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.settings import split_address


def _address(value: str) -> str:
    try:
        split_address(value)
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause
    return value


Address = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", callback=_address, help="Port 0: any free one.")]
Admin = Annotated[
    str,
    typer.Option("--admin", metavar="HOST:PORT", callback=_address, help="Health and metrics; port 0: any free one."),
]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Where keys and objects are kept.")]
Certificate = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="PEM certificate chain.")]
PrivateKey = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="PEM private key of it.")]


def dev(
    listen: Address = "127.0.0.1:9000",
    data: Data = Path("./sseproxy-data"),
    tls_cert: Certificate = None,
    tls_key: PrivateKey = None,
    admin: Admin = "127.0.0.1:0",
) -> None:
    """Run an object store on a directory, a KMS and the proxy in front, for S3 and OSS clients on one port.

    Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong arguments.
    """
    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together: give both or neither")
    options = DevOptions(listen=listen, admin=admin, data=data, tls_cert=tls_cert, tls_key=tls_key)
    with foreseeable_failures():
        serve_dev(options, lambda addresses: typer.echo(welcome(options, addresses)))


def welcome(options: DevOptions, addresses: Addresses) -> str:
    """Return what is printed once everything runs: addresses, credentials, lines to paste."""
    url, user, secret, region = addresses.data, options.access_key, options.secret_key, options.region
    lines = [
        f"sseproxy dev is ready on {url} for S3 and OSS clients. State is kept in {options.data}.",
        f"Health and metrics: {addresses.admin}/healthz /readyz /metrics. Not for production. Stop with Ctrl-C.",
        "",
        f"  endpoint    {url}",
        f"  access key  {user}",
        f"  secret      {secret}",
        f"  region      {region}",
    ]
    if options.tls_cert is not None:
        lines += ["", "# the CA of your certificate, where your system does not know it:"]
        lines += ["export AWS_CA_BUNDLE=ca.pem REQUESTS_CA_BUNDLE=ca.pem"]
    lines += [
        "",
        "# aws CLI",
        f"export AWS_ACCESS_KEY_ID={user} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}",
        f"aws --endpoint-url {url} s3 mb s3://photos",
        f"echo hello | aws --endpoint-url {url} s3 cp - s3://photos/hello",
        "",
        "# boto3",
        "import boto3",
        f's3 = boto3.client("s3", endpoint_url="{url}", region_name="{region}",',
        f'                  aws_access_key_id="{user}", aws_secret_access_key="{secret}")',
        's3.get_object(Bucket="photos", Key="hello")["Body"].read()',
        "",
        "# oss2",
        "import oss2",
        f'bucket = oss2.Bucket(oss2.Auth("{user}", "{secret}"), "{url}", "photos")',
        'bucket.get_object("hello").read()',
        "",
        "# ossutil",
        f"ossutil ls oss://photos -e {url} -i {user} -k {secret} --region {region}",
        "",
    ]
    return "\n".join(lines)
