"""What only some routes ask for: guards, redirects, other paths, fields, CORS, error pages, and the keys that say so.

Made at load time; a request of a route without any of it looks at one `None`. Nothing here knows a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lb.http.cors import Cors
from lb.http.field_rules import FieldRules
from lb.http.path_pattern import PathPattern
from lb.http.template import Template
from lb.routing.auth_rules import AuthRule, BasicAuthRule, ForwardAuthRule
from lb.routing.file_rule import FileRule
from lb.routing.networks import Networks


@dataclass(frozen=True, slots=True)
class RedirectRule:
    """Where the client is sent; `status` is None for 301 or 308, by the method."""

    location: Template
    keeps_query: bool
    status: int | None


@dataclass(frozen=True, slots=True)
class PathChange:
    """The path that the app gets: without `strip`, as `rewrite` says, behind `prefix`, in this order."""

    strip: bytes
    rewrite: Template | None
    prefix: bytes


@dataclass(frozen=True, slots=True)
class RouteExtras:
    """Each is None, empty or False where it was not asked for. `pattern` is the route's own; `keys` says which
    key of the configuration set a limit or a time-out that is not the file's own: `limits.body` → its path. `decides`
    says that a request may be kept out, or be answered, by what stands here beside files; `marks` that the lines of
    responses are changed. `hsts` is the value of Strict-Transport-Security.
    """

    pattern: PathPattern | None = None
    allow: Networks | None = None
    deny: Networks | None = None
    basic_auth: BasicAuthRule | None = None
    forward_auth: ForwardAuthRule | None = None
    redirect: RedirectRule | None = None
    files: FileRule | None = None
    path: PathChange | None = None
    request_fields: FieldRules | None = None
    response_fields: FieldRules | None = None
    cors: Cors | None = None
    error_pages: Mapping[int, bytes] | None = None
    hsts: bytes | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    decides: bool = field(init=False, default=False, compare=False)
    marks: bool = field(init=False, default=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decides", self.cors is not None or self.redirect is not None or self.is_guarded)
        marks = self.response_fields is not None or self.cors is not None or self.hsts is not None
        object.__setattr__(self, "marks", marks)

    @property
    def is_guarded(self) -> bool:
        """Whether anybody is kept out."""
        return self.allow is not None or self.deny is not None or bool(self.asks)

    @property
    def asks(self) -> tuple[AuthRule, ...]:
        """What is asked before a request goes on, in this order: all have to let it pass."""
        return tuple(rule for rule in (self.basic_auth, self.forward_auth) if rule is not None)
