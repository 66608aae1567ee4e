"""The differential proof: every operation sent to a store directly and through the proxy, and the answers compared.

`compare` works against any S3 endpoint with a proxy in front of it, over http:

    from tests.differential.compared import compare
    from tests.differential.signature import Credentials

    compared = compare("minio", "http://127.0.0.1:9000", "http://127.0.0.1:8333", Credentials("key", "secret"))
    assert compared.verdict.problems == []

(`run.run` is the run alone, `table.render` writes the table.) From a shell:
`python -m tests.differential --backend minio --direct URL --proxied URL` prints what is not allowed yet.

Both endpoints take the same credentials. Buckets get names of the run's own, so it can be repeated on one store.

* `case.py` has the words that cases are written in, `cases_*.py` the cases, `operations.py` all of them in one tuple
* `client.py` and `signature.py` send one request exactly as written
* `normalise.py` makes an answer comparable; what it leaves out is left out of the proof, so it says so
* `allowed.toml` is the reviewed list of differences that are meant, with a reason for each. A difference that is not in
  it fails, and so does an entry that no longer occurs. A new backend gets entries that name it under `backends`.
* `table.py` writes docs/s3-operations.md: `python -m tests.differential`
"""
