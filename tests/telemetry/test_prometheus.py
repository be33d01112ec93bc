from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from lb.errors import CAUSES
from lb.telemetry.counters import NAMES
from lb.telemetry.prometheus import CertificateFigures, render, render_certificates

TOTALS = {name: 1000 + place for place, name in enumerate(NAMES)}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(info: dict[str, str]) -> Samples:
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(render(TOTALS, info).decode())
        for sample in family.samples
    }


# spec: E1
def test_every_counter_is_exposed_once() -> None:
    values = sorted(value for (name, _), value in samples({}).items() if name != "lb_info")
    assert values == sorted(TOTALS.values())


# spec: E1
def test_names_and_labels() -> None:
    found = samples({})
    assert found["lb_requests_total", ()] == TOTALS["requests_total"]
    assert found["lb_responses_total", (("class", "2xx"),)] == TOTALS["responses_2xx"]
    assert found["lb_connections_open", ()] == TOTALS["connections_open"]
    for code in CAUSES:
        assert found["lb_errors_total", (("cause", code),)] == TOTALS[f"error_{code}"]


def test_every_metric_has_a_type_and_a_help_text() -> None:
    families = list(text_string_to_metric_families(render(TOTALS, {"version": "1"}).decode()))
    assert {family.type for family in families} == {"counter", "gauge"}
    assert {family.name for family in families if family.type == "gauge"} == {
        "lb_buffered_bytes",
        "lb_info",
        "lb_connections_open",
        "lb_tls_handshakes_waiting",
    }
    assert all(family.documentation.endswith(".") for family in families)
    assert len({family.name for family in families}) == len(families)


def test_labels_are_escaped() -> None:
    info = {"version": '1"2\\3\n4', "engine": "compiled"}
    assert samples(info)["lb_info", tuple(info.items())] == 1


def test_the_page_ends_with_a_newline() -> None:
    assert render(TOTALS, {}).endswith(b"\n")


def certificate_samples(*figures: CertificateFigures, most: int = 1000) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(render_certificates(figures, most).decode()):
        assert family.type == "gauge"
        for sample in family.samples:
            key = sample.name, tuple(sample.labels.items())
            assert key not in found, "a series stands once"
            found[key] = sample.value
    return found


def test_certificates() -> None:
    # spec: T5
    found = certificate_samples(
        CertificateFigures("shop.example.com", "acme", 1_800_000_000.4, 1_790_000_000.0, 0),
        CertificateFigures("new.example.com", "acme", None, 1_790_000_001.0, 3),
        CertificateFigures("a.localhost", "local", 1_800_000_001.0, None, None),
        CertificateFigures("old.example.com", "file", 1_900_000_000.0, None, None),
        CertificateFigures("old.example.com", "file", 1_800_000_002.0, None, None),
    )
    shop, new, local, old = (
        (("name", name), ("source", source))
        for name, source in (
            ("shop.example.com", "acme"),
            ("new.example.com", "acme"),
            ("a.localhost", "local"),
            ("old.example.com", "file"),
        )
    )
    assert found == {
        ("lb_certificates", (("source", "acme"),)): 2,
        ("lb_certificates", (("source", "file"),)): 2,
        ("lb_certificates", (("source", "local"),)): 1,
        ("lb_certificate_not_after_timestamp_seconds", shop): 1_800_000_000,
        ("lb_certificate_not_after_timestamp_seconds", new): 0,
        ("lb_certificate_not_after_timestamp_seconds", local): 1_800_000_001,
        ("lb_certificate_not_after_timestamp_seconds", old): 1_800_000_002,
        ("lb_certificate_next_attempt_timestamp_seconds", shop): 1_790_000_000,
        ("lb_certificate_next_attempt_timestamp_seconds", new): 1_790_000_001,
        ("lb_certificate_failures", shop): 0,
        ("lb_certificate_failures", new): 3,
    }
    assert render_certificates([]) == b""


def test_of_many_certificates_those_have_series_that_fail_or_end_first() -> None:
    # spec: T5
    many = [CertificateFigures(f"{number}.example.com", "acme", 2e9 - number, 1.9e9, 0) for number in range(30)]
    failing = CertificateFigures("fails.example.com", "acme", 2.1e9, 1.9e9, 1)
    found = certificate_samples(*many, failing, most=10)
    names = {dict(labels)["name"] for name, labels in found if name == "lb_certificate_failures"}
    assert names == {"fails.example.com", *(f"{number}.example.com" for number in range(21, 30))}
    assert found["lb_certificates", (("source", "acme"),)] == 31
