"""Fields removed, set, added and given by default; and those that no configuration may touch."""

from __future__ import annotations

import pytest

from lb.http.field_rules import FieldRules, why_not
from lb.http.template import Template, parse_template

_RESPONSE = b"HTTP/1.1 200 OK\r\nServer: gunicorn\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nCache-Control: no-cache\r\n"


def _rules(
    remove: tuple[str, ...] = (),
    assign: dict[str, str] | None = None,
    add: dict[str, str] | None = None,
    default: dict[str, str] | None = None,
) -> FieldRules:
    def pairs(fields: dict[str, str] | None) -> tuple[tuple[str, Template], ...]:
        return tuple((name, parse_template(text)) for name, text in (fields or {}).items())

    return FieldRules(frozenset(remove), pairs(assign), pairs(add), pairs(default))


@pytest.mark.parametrize(
    ("rules", "gone", "come"),
    [
        (_rules(), b"", b""),
        (_rules(remove=("server",)), b"Server: gunicorn\r\n", b""),
        (_rules(remove=("Set-Cookie",)), b"Set-Cookie: a=1\r\nset-cookie: b=2\r\n", b""),
        (_rules(assign={"SERVER": "lb"}), b"Server: gunicorn\r\n", b"SERVER: lb\r\n"),
        (_rules(add={"Set-Cookie": "c=3"}), b"", b"Set-Cookie: c=3\r\n"),
        (_rules(default={"cache-control": "no-store"}), b"", b""),
        (_rules(default={"X-Frame-Options": "DENY"}), b"", b"X-Frame-Options: DENY\r\n"),
        (_rules(assign={"X-Host": "{host}"}), b"", b"X-Host: shop\r\n"),
        (_rules(remove=("a",), add={"A": "1"}, default={"a": "2"}), b"", b"A: 1\r\n"),
    ],
)
def test_rules_change_the_fields_they_name_and_no_other(rules: FieldRules, gone: bytes, come: bytes) -> None:
    assert rules.apply(_RESPONSE, {"host": b"shop"}.__getitem__) == _RESPONSE.replace(gone, b"", 1) + come


def test_the_status_line_is_no_field() -> None:
    rules = _rules(remove=("HTTP/1.1 200 OK", "http/1.1 200 ok"))
    assert rules.apply(_RESPONSE, lambda _: b"") == _RESPONSE


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE", "Trailer", "a b", ""]
)
@pytest.mark.parametrize("response", [True, False])
def test_what_frames_a_message_is_not_touched(name: str, response: bool) -> None:
    assert why_not(name, response=response)


@pytest.mark.parametrize("name", ["X-Real-IP", "x_real_ip", "X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "Via"])
def test_what_lb_says_about_clients_is_not_touched(name: str) -> None:
    assert why_not(name, response=False)


@pytest.mark.parametrize(
    "name", ["Strict-Transport-Security", "Server", "Set-Cookie", "Content-Type", "X-Forwarded-Host"]
)
def test_others_are(name: str) -> None:
    assert why_not(name, response=True) is None
    assert why_not(name, response=False) is None
