"""A throw-away CA and a server certificate for 127.0.0.1 and localhost."""

from pathlib import Path

import trustme


def make_certificates(directory: Path) -> tuple[Path, Path, Path]:
    """Write CA, certificate chain and key as PEM files and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    ca, certificate, key = directory / "ca.pem", directory / "cert.pem", directory / "key.pem"
    authority.cert_pem.write_to_path(str(ca))
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(str(key))
    return ca, certificate, key
