from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from lb.errors import CAUSES
from lb.telemetry.counters import NAMES
from lb.telemetry.prometheus import render

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
    assert {family.name for family in families if family.type == "gauge"} == {"lb_info", "lb_connections_open"}
    assert all(family.documentation.endswith(".") for family in families)
    assert len({family.name for family in families}) == len(families)


def test_labels_are_escaped() -> None:
    info = {"version": '1"2\\3\n4', "engine": "compiled"}
    assert samples(info)["lb_info", tuple(info.items())] == 1


def test_the_page_ends_with_a_newline() -> None:
    assert render(TOTALS, {}).endswith(b"\n")
