"""The states of an exchange, and what may happen in each: all of it, as a table.

The methods of an exchange do what the table says, and `tests/proxy/exchange/test_states.py` walks every cell. An event
is named after the method that it calls (`lb.proxy.handler` says who calls it); a cell names the phases in which the
exchange may be afterwards. This file knows no connection, and nothing uses it at run time: direct methods are fastest.
"""

from __future__ import annotations

DECIDING, CHECKING, WAITING, CONNECTING, FORWARDING, RESPONDING, SERVING, DONE = range(8)
# DECIDING: which route, which instance. CHECKING: a password is verified, or an authentication service asked. WAITING:
# in the queue for an instance. CONNECTING: to one. FORWARDING: the request goes there, and the head of the response is
# yet to come. RESPONDING: its body goes to the client. SERVING: a file goes there, and no instance has to do with it.
# DONE: the line in the access log is written; what follows is somebody else's.

NAMES = ("DECIDING", "CHECKING", "WAITING", "CONNECTING", "FORWARDING", "RESPONDING", "SERVING", "DONE")

Phases = frozenset[int]


def _one(*phases: int) -> Phases:
    return frozenset(phases)


_STAY_OR_END = {phase: _one(phase, DONE) for phase in range(8)}
_TRY = _one(WAITING, CONNECTING, FORWARDING, DONE)  # the next instance has it, or none can

# What the client's side may report in every phase in which the exchange is at rest.
_OF_CLIENT = ("request_data", "client_drained", "client_ended", "probe_client")
_ENDINGS = ("client_gone", "client_severed", "client_stopped", "fail", "cut")


def _at_rest(phase: int, **more: Phases) -> dict[str, Phases]:
    row = dict.fromkeys(_OF_CLIENT, _one(phase))
    row |= dict.fromkeys(_ENDINGS, _one(DONE))
    return row | more


TABLE: dict[int, dict[str, Phases]] = {
    # It decides within one call, and nothing else runs meanwhile.
    DECIDING: {"start": _TRY | {CHECKING, SERVING}, "fail": _one(DONE)},
    CHECKING: _at_rest(CHECKING, let_in=_TRY | {SERVING}, client_late=_one(DONE)),
    WAITING: _at_rest(WAITING, forward=_TRY, client_late=_one(DONE)),
    CONNECTING: _at_rest(
        CONNECTING,
        client_late=_one(CONNECTING),
        upstream_connected=_one(FORWARDING, DONE),
        upstream_refused=_TRY,
        upstream_late=_TRY,
    ),
    FORWARDING: _at_rest(
        FORWARDING,
        request_data=_STAY_OR_END[FORWARDING],
        client_ended=_STAY_OR_END[FORWARDING],
        client_late=_STAY_OR_END[FORWARDING],
        upstream_drained=_one(FORWARDING),
        response_data=_one(FORWARDING, RESPONDING, DONE),
        upstream_ended=_TRY,
        upstream_lost=_TRY,
        upstream_late=_STAY_OR_END[FORWARDING],
    ),
    RESPONDING: _at_rest(
        RESPONDING,
        request_data=_STAY_OR_END[RESPONDING],
        client_ended=_STAY_OR_END[RESPONDING],
        client_late=_STAY_OR_END[RESPONDING],
        flush=_one(RESPONDING),
        upstream_drained=_one(RESPONDING),
        response_data=_STAY_OR_END[RESPONDING],
        upstream_ended=_one(DONE),
        upstream_lost=_one(DONE),
        upstream_late=_STAY_OR_END[RESPONDING],
    ),
    SERVING: _at_rest(SERVING, client_drained=_STAY_OR_END[SERVING], client_late=_one(SERVING)),
    # A caller that still holds a reference may report something yet.
    DONE: dict.fromkeys(("client_gone", "fail", "cut", "flush"), _one(DONE)),
}
"""Phase → event → the phases in which the exchange may be afterwards. An event that is not listed cannot occur."""
