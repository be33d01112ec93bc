"""Dialogues: what the proxy does between a client and an instance, written down line by line and checked as written.

    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
    )

`>>` is what happens to the proxy, `<<` is what it does next. Whatever it does has to be said, in its order, and one
`client(...)` or `instance(...)` behind `<<` is one write. The same words serve both directions:

| word | behind `>>` | behind `<<` |
|---|---|---|
| `client(data)`, `instance(data)` | bytes come from that side | bytes go to that side, in one write |
| `.ends` | that side shuts its half of the connection | the proxy shuts its half |
| `.breaks` | that side resets the connection | the proxy resets it |
| `.closes` | | the proxy closes the connection |
| `.vanishes` | that side is gone: the next write fails | |
| `.stops_reading`, `.reads`, `.reads_some(n)` | what is written waits; all or n bytes of it are taken | |
| `.pauses`, `.resumes` | | the proxy reads nothing from that side, or reads it again |
| `instance.connects` | | the proxy begins to connect; `.connects_to(2)` names the instance |
| `instance.accepts`, `instance.refuses(errno)` | the connection is made, or is not | |
| `fails_at_once(errno)` | the next attempt to connect fails within the call | |
| `connects_at_once` | the next attempt to connect succeeds within the call, as over a Unix socket | |
| `passes(seconds)` | time passes | |
| `together(..., ...)` | all of these happen before the proxy has its turn | |
| `drains`, `is_cut` | a stop begins; its time is over | |
| `logged(status, cause)` | | the exchange ends with this line in the access log |
| `client.error(status, cause)` | | an error reply of the proxy's own, in one write |

`client` and `instance` are the first connection of each side; `client.number(2)` is the second one that is made, and
so on. At its end a dialogue closes what is open and looks whether anything stays taken.

No socket is opened and nothing waits: connections are `wires`, time is a number (`loop`), and everything between them,
from the request loop of HTTP/1 to the line in the access log, is what serves in production.
"""

from __future__ import annotations

from tests.proxy.dialogue.dialogue import Dialogue
from tests.proxy.dialogue.texts import (
    DATE,
    FIELDS,
    GET,
    GET_FORWARDED,
    POST,
    POST_CHUNKED,
    POST_CHUNKED_FORWARDED,
    POST_FORWARDED,
    head,
)
from tests.proxy.dialogue.words import (
    Word,
    client,
    connects_at_once,
    drains,
    fails_at_once,
    instance,
    is_cut,
    logged,
    passes,
    together,
)

__all__ = [
    "DATE",
    "FIELDS",
    "GET",
    "GET_FORWARDED",
    "POST",
    "POST_CHUNKED",
    "POST_CHUNKED_FORWARDED",
    "POST_FORWARDED",
    "Dialogue",
    "Word",
    "client",
    "connects_at_once",
    "drains",
    "fails_at_once",
    "head",
    "instance",
    "is_cut",
    "logged",
    "passes",
    "together",
]
