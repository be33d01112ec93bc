"""What a certificate authority's server may answer: whatever it is, the client says what was wrong with it."""

from __future__ import annotations

import pytest

from lb.tls.acme.client import Answer
from lb.tls.acme.errors import AcmeError


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_object_is_an_error_that_names_the_server(body: bytes) -> None:
    answer = Answer(200, "https://ca.example/directory", "", None, {}, body)
    with pytest.raises(AcmeError, match=r"ca\.example"):
        answer.json()
