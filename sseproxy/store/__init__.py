"""The embedded object store: S3 and OSS on a local directory, for `sseproxy dev`, tests and benchmarks.

It is a backend like any other, strict where the real services are strict, and shares nothing with the proxy but the
verification of signatures. Not for production: one process, no replication, no access control beyond the signature.
"""

from sseproxy.store.app import serve_store
from sseproxy.store.locate import StoredFiles, locate_object

__all__ = ["StoredFiles", "locate_object", "serve_store"]
