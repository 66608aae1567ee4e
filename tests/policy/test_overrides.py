from multidict import CIMultiDict

from sseproxy.policy.overrides import OVERRIDES, overridden


def test_the_six_overrides_replace_their_headers() -> None:
    query = CIMultiDict({**OVERRIDES, "prefix": "x", "response-x": "y"})

    assert overridden(query) == {header: header for header in OVERRIDES.values()}
    assert len(OVERRIDES) == 6


def test_an_empty_override_replaces_nothing() -> None:
    assert overridden({"response-content-type": ""}) == {}
