"""Where a client test may run: names of fixtures that start a server (tests/e2e/conftest.py).

The fixtures `s3` and `oss` run a test at all of them, the embedded store alone included: what a client sees of the
proxy must be what it sees of a service. A test that needs a proxy says so with one of the marks.
"""

import pytest

S3_PROXIES = ("dev", "dev_https", "on_weed", "on_weed_https")
OSS_PROXIES = ("dev", "dev_https")
STORE = "store"

sealed_s3 = pytest.mark.parametrize("s3", S3_PROXIES, indirect=True)
sealed_oss = pytest.mark.parametrize("oss", OSS_PROXIES, indirect=True)
