"""One wanted certificate: what is to be done about it, and when."""

from __future__ import annotations

from lb.tls.acme.ari import Renewal
from lb.tls.acme.certificate_info import CertificateInfo
from lb.tls.acme.desired import DesiredCertificate
from lb.tls.acme.errors import Kind
from lb.tls.acme.managed import ManagedCertificate
from lb.tls.acme.policy import DAY, Failure, Window
from lb.tls.acme.state import State

NOW = 1_800_000_000.0
CAS = ("ca", "other")


def held(*names: str, age: float = 0.0, days: float = 90) -> CertificateInfo:
    start = NOW - age * DAY
    return CertificateInfo(frozenset(names), start, start + days * DAY, "CA", 7, "ari", "EC")


def managed(info: CertificateInfo | None, state: State | None = None) -> ManagedCertificate:
    return ManagedCertificate(DesiredCertificate("a.example", ("a.example",)), info, state or State(ca="ca"))


# spec: T5
def test_what_is_missing_or_lacks_a_name_is_wanted_now() -> None:
    for info in (None, held("b.example")):
        one = managed(info)
        assert (one.fits, one.due(), one.is_urgent(NOW)) == (False, 0.0, True)
        assert one.next_attempt(CAS, {}, NOW) == (NOW, "ca") or one.next_attempt(CAS, {}, NOW)[1] == "ca"


# spec: T5
def test_what_we_hold_is_renewed_at_two_thirds_of_its_time() -> None:
    one = managed(held("a.example"))
    at, ca = one.next_attempt(CAS, {}, NOW)
    assert ca is None
    assert 55 * DAY < at - NOW < 61 * DAY
    assert one.next_attempt(CAS, {}, at + 1)[1] == "ca"


# spec: T5
def test_the_cas_window_counts_if_it_is_about_this_certificate() -> None:
    window = Window(NOW + 10 * DAY, NOW + 11 * DAY)
    right = managed(held("a.example"), State(ca="ca", renewal=Renewal("ari", window, "", 0.0)))
    wrong = managed(held("a.example"), State(ca="ca", renewal=Renewal("before", window, "", 0.0)))
    assert window.start <= right.due() <= window.end
    assert wrong.due() > NOW + 50 * DAY


# spec: T5
def test_who_asks_for_it_gets_it_whatever_failed_before() -> None:
    failed = State(ca="ca", failures=(Failure("ca", Kind.REFUSED, "no", 3, NOW, NOW + DAY),))
    one = managed(held("a.example"), failed)
    one.asked = True
    assert one.next_attempt(CAS, {}, NOW)[1] == "ca"


# spec: T5
def test_a_pause_of_a_ca_is_kept() -> None:
    pause = Failure("ca", Kind.BUSY, "later", 1, NOW, NOW + DAY)
    at, ca = managed(None).next_attempt(("ca",), {"ca": pause}, NOW)
    assert (at, ca) == (NOW + DAY, None)


def test_another_front_door_at_work_is_waited_for() -> None:
    one = managed(None)
    one.busy_until = NOW + 30
    assert one.next_attempt(CAS, {}, NOW) == (NOW + 30, None)


# spec: T5
def test_when_the_ca_may_be_asked_about_a_renewal_again() -> None:
    assert managed(held("a.example")).look_due(NOW)
    assert not managed(None).look_due(NOW)
    assert not managed(held("a.example"), State()).look_due(NOW)  # none of ours gave it
    told = State(ca="ca", renewal=Renewal("ari", None, "", NOW + 60))
    assert not managed(held("a.example"), told).look_due(NOW)
    assert managed(held("a.example"), told).look_due(NOW + 60)


def test_what_is_shown_of_it() -> None:
    failed = State(ca="ca", failures=(Failure("ca", Kind.BUSY, "later", 2, NOW, NOW + DAY),))
    shown = managed(held("a.example"), failed).as_status(NOW + DAY, None)
    assert (shown["name"], shown["failures"], shown["last_error"], shown["next_attempt"]) == (
        "a.example",
        2,
        "later",
        NOW + DAY,
    )
    assert managed(None).as_status(None, None)["last_error"] == ""
