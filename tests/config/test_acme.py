"""How certificates are obtained: directories, accounts, questions, as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lb.config.acme import DIRECTORIES, Acme, AcmeServer, ExternalAccount, OnDemand


def said(section: type[Any], **keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        section(**keys)
    return str(caught.value)


# spec: T5
@pytest.mark.parametrize(
    ("written", "directory"),
    [
        *DIRECTORIES.items(),
        ("https://ca.example/dir", "https://ca.example/dir"),
        ("http://127.0.0.1:14000/dir", "http://127.0.0.1:14000/dir"),
        ("http://localhost/dir", "http://localhost/dir"),
    ],
)
def test_a_directory(written: str, directory: str) -> None:
    assert AcmeServer(directory=written).directory == directory


# spec: T5
@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("letsencypt", 'did you mean "letsencrypt"?'),
        ("http://ca.example/dir", "must use https"),
        ("ftp://ca.example", "is not an ACME directory"),
        ("https://user:word@ca.example/", "is not an ACME directory"),
        ("https://ca.example/#x", "is not an ACME directory"),
        (5, "is not an ACME directory"),
    ],
)
def test_no_directory(written: object, words: str) -> None:
    assert words in said(AcmeServer, directory=written)


def test_the_cas_in_the_order_in_which_they_are_asked() -> None:
    acme = Acme.model_validate({"agree_to_terms": True, "fallback": "zerossl"})
    assert [server.directory for server in acme.servers] == [DIRECTORIES["letsencrypt"], DIRECTORIES["zerossl"]]
    assert Acme(agree_to_terms=True).servers[0].directory == DIRECTORIES["letsencrypt"]


def test_an_address_to_write_to() -> None:
    assert Acme(email="mailto:ops@example.com").email == "ops@example.com"
    assert "is not an e-mail address" in said(Acme, email="ops")


@pytest.mark.parametrize(("written", "key"), [("aGk=", "aGk"), ("a+/=", "a-_"), (" aGk ", "aGk")])
def test_a_key_of_an_external_account_is_taken_as_it_is_shown(written: str, key: str) -> None:
    assert ExternalAccount(kid="k", hmac_key=written).hmac_key == key


@pytest.mark.parametrize("written", ["", "a", 5])
def test_no_key(written: object) -> None:
    assert "is not a key in base64url" in said(ExternalAccount, kid="k", hmac_key=written)


def test_who_may_be_asked_is_the_operators_to_know() -> None:
    # It is in the operator's own network as a rule, where plain HTTP is usual.
    assert OnDemand(ask="http://ask.internal/may").ask == "http://ask.internal/may"
    assert "is not a URL" in said(OnDemand, ask="ask.internal")
    assert OnDemand(ask="http://a/", wait=False).wait is None
