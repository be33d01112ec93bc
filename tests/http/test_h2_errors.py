"""The error codes of HTTP/2 have the numbers and names of the registry."""

from __future__ import annotations

from h2.errors import ErrorCodes

from lb.errors import ProxyError
from lb.http import h2_errors
from lb.http.h2_errors import MalformedError, SessionError, error_name


def test_codes_are_those_of_the_registry() -> None:
    for code in ErrorCodes:
        assert getattr(h2_errors, code.name) == code.value
        assert error_name(code.value) == code.name


def test_an_unknown_code_is_named_by_its_number() -> None:
    assert error_name(0xABCD) == "0xabcd"


def test_what_the_errors_say() -> None:
    error = SessionError(h2_errors.PROTOCOL_ERROR, "a reason")
    assert (error.code, error.detail, error.args[0]) == (1, "a reason", "PROTOCOL_ERROR")
    malformed = MalformedError("a reason")
    assert isinstance(malformed, ProxyError)
    assert (malformed.cause.code, malformed.detail) == ("http_request_error", "a reason")
