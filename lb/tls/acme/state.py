"""What is remembered of a certificate between attempts, and its form as JSON.

This file knows fields and forms. Unreadable values count as not remembered: a damaged file may cost an attempt, never
a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lb.tls.acme.ari import Renewal
from lb.tls.acme.errors import Kind
from lb.tls.acme.policy import Failure, Window


@dataclass(frozen=True, slots=True)
class State:
    """`ca` is the directory of the CA that issued the certificate we hold, "" if none of ours did; `on_demand` says
    that it was obtained because a handshake named it.
    """

    ca: str = ""
    renewal: Renewal | None = None
    failures: tuple[Failure, ...] = ()
    proofs_failed: int = 0
    on_demand: bool = False

    def failure(self, ca: str) -> Failure | None:
        return next((one for one in self.failures if one.ca == ca), None)

    def failed(self, failure: Failure) -> State:
        others = tuple(one for one in self.failures if one.ca != failure.ca)
        unproven = failure.kind in {Kind.UNPROVEN, Kind.HERE}
        return replace(self, failures=(*others, failure), proofs_failed=self.proofs_failed + unproven)


def to_json(state: State) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ca": state.ca,
        "proofs_failed": state.proofs_failed,
        "on_demand": state.on_demand,
    }
    found["failures"] = [
        {key: getattr(one, key) for key in ("ca", "kind", "message", "count", "at", "next_at")}
        for one in state.failures
    ]
    if (renewal := state.renewal) is not None:
        found["renewal"] = {
            "ari": renewal.ari,
            "window": None if renewal.window is None else [renewal.window.start, renewal.window.end],
            "explanation": renewal.explanation,
            "next_look": renewal.next_look,
        }
    return found


def from_json(found: Mapping[str, Any] | None) -> State:
    if found is None:
        return State()
    try:
        return State(
            ca=str(found.get("ca", "")),
            renewal=_renewal(found.get("renewal")),
            failures=tuple(map(_failure, found.get("failures", ()))),
            proofs_failed=int(found.get("proofs_failed", 0)),
            on_demand=found.get("on_demand") is True,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return State()


def _failure(found: Mapping[str, Any]) -> Failure:
    return Failure(
        str(found["ca"]),
        Kind(found["kind"]),
        str(found["message"]),
        int(found["count"]),
        float(found["at"]),
        float(found["next_at"]),
    )


def _renewal(found: Mapping[str, Any] | None) -> Renewal | None:
    if found is None:
        return None
    window = found["window"]
    return Renewal(
        str(found["ari"]),
        None if window is None else Window(float(window[0]), float(window[1])),
        str(found["explanation"]),
        float(found["next_look"]),
    )
