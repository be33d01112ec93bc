"""Guards one after the other, before an exchange with fakes on both sides."""

from __future__ import annotations

from typing import Any

import pytest

from lb.errors import ProxyError
from lb.http.reply import Reply
from lb.proxy.exchange.exchange import Exchange
from lb.proxy.exchange.states import CHECKING, CONNECTING, DONE
from lb.proxy.guards.gate import Gate
from lb.proxy.guards.services import services_of
from lb.routing.auth_rules import AuthRule, BasicAuthRule, ForwardAuthRule
from lb.routing.route_extras import RouteExtras
from tests.proxy.exchange.fakes import Stage, staged

GET = b"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n"
BASIC = BasicAuthRule("/nowhere", b"Basic")
FORWARD = ForwardAuthRule("127.0.0.1", 3, b"auth", b"/", (), 1.0)


class Answer:
    """A guard that answers at once, or later."""

    def __init__(self, gate: Gate, timeout: float, answer: bool | ProxyError) -> None:
        self.gate, self.timeout, self.answer, self.left = gate, timeout, answer, 0

    def begin(self) -> bool:
        if isinstance(self.answer, ProxyError):
            raise self.answer
        return self.answer

    def late(self) -> ProxyError:
        return ProxyError("forward_auth_timeout")

    def leave(self) -> None:
        self.left += 1


def prepared(stage: Stage, monkeypatch: pytest.MonkeyPatch, *answers: bool | ProxyError) -> tuple[Exchange, list[Any]]:
    """An exchange before two guards that answer so, and those that were made of them."""
    made: list[Any] = []

    def make(gate: Gate, _rule: AuthRule) -> Answer:
        answer = Answer(gate, len(made) + 1.0, answers[len(made)])
        made.append(answer)
        return answer

    monkeypatch.setattr(Gate, "_made", make)
    route = stage.engine.snapshot.table.find(b"app.example")
    assert route is not None
    route.extras = RouteExtras(basic_auth=BASIC, forward_auth=FORWARD)
    exchange = stage.exchange(GET)
    exchange.start()
    return exchange, made


def test_all_have_to_let_it_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with staged() as stage:
        exchange, made = prepared(stage, monkeypatch, True, True)
        assert (exchange.phase, len(made)) == (CONNECTING, 2)


def test_they_are_asked_in_turn_each_with_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with staged() as stage:
        exchange, made = prepared(stage, monkeypatch, False, False)
        assert (exchange.phase, len(made), exchange.client_timeout()) == (CHECKING, 1, 1.0)
        assert exchange.is_waiting()
        made[-1].gate.passed()
        assert (exchange.phase, len(made), exchange.client_timeout()) == (CHECKING, 2, 2.0)
        made[-1].gate.passed()
        assert exchange.phase == CONNECTING
        assert not exchange.is_waiting()


@pytest.mark.parametrize("ending", ["failed", "answered", "late", "gone", "raised"])
def test_one_that_does_not_is_enough(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    with staged() as stage:
        second: bool | ProxyError = ProxyError("authentication_failed") if ending == "raised" else False
        exchange, made = prepared(stage, monkeypatch, False, second)
        made[-1].gate.passed()
        if ending == "failed":
            made[-1].gate.failed(ProxyError("authentication_failed"))
        elif ending == "answered":
            made[-1].gate.answered(Reply(302, ((b"Location", b"/login"),), b""), None)
        elif ending == "late":
            exchange.client_late()
        elif ending == "gone":
            exchange.client_gone()
        assert exchange.phase == DONE
        assert made[1].left == 1
        assert made[0].left == 0
        statuses = {"failed": b"401", "answered": b"302", "late": b"504", "raised": b"401"}
        assert [head.split()[1] for head in stage.client.heads] == ([statuses[ending]] if ending in statuses else [])


def test_a_fault_ends_one_client_and_is_no_fault_of_who_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with staged() as stage:
        _, made = prepared(stage, monkeypatch, False, True)
        said: list[Any] = []
        stage.engine.poller.loop.set_exception_handler(lambda _, context: said.append(context["exception"]))
        made[0].gate.answered(None, None)  # which is no reply
        assert len(said) == 1


def test_rules_become_guards_of_their_kind() -> None:
    with staged() as stage:
        exchange = stage.exchange(GET)
        gate = Gate(exchange, ())
        assert gate.open()
        kinds = [type(gate._made(rule)).__name__ for rule in (FORWARD, BASIC)]
        assert kinds == ["ServiceGuard", "PasswordGuard"]


def test_services_are_shared_and_those_of_former_configurations_forgotten() -> None:
    with staged() as stage:
        services = services_of(stage.engine)
        assert services_of(stage.engine) is services
        kept = services.service(FORWARD)
        assert services.service(ForwardAuthRule("127.0.0.1", 3, b"x", b"/y", (), 9.0)) is kept
        kept.busy = 1
        for port in range(100, 250):
            services.service(ForwardAuthRule("127.0.0.1", port, b"x", b"/", (), 1.0))
        assert services.service(FORWARD) is kept
        assert len(services._services) <= 64
        kept.busy = 0
