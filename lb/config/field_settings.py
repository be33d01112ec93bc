"""What a configuration says about header fields, CORS and error pages.

Field names are the keys of the YAML file. Placeholders in values are checked by field_rules.py: which of them there are
depends on the route.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from lb.config import units
from lb.config.base import Section
from lb.config.fields import File, Switch, Written, one_or_more
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe
from lb.http.field_rules import why_not

_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\*\.)?[a-z0-9._\[\]:-]+", re.IGNORECASE)
_ERROR = re.compile(r"[45]([0-9]{2}|xx)", re.ASCII)
_DAY = 86400.0


def _field_name(value: object, *, response: bool) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not a field name", "write one such as X-Frame-Options")
    reason = why_not(value, response=response)
    if reason is not None:
        raise BadValueError(f"{quoted(value)} cannot be changed: {reason}", "remove it")
    return str(value)


def _request_field(value: object) -> str:
    return _field_name(value, response=False)


def _response_field(value: object) -> str:
    return _field_name(value, response=True)


def _field_value(value: object) -> str:
    if not isinstance(value, (str, int, float)):
        raise BadValueError(f"{describe(value)} is not a field's value", 'write text, such as "max-age=3600"')
    text = str(value)
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise BadValueError("the value has a control character or a line end", "write it on one line")
    return text.strip()


def _origin(value: object) -> str:
    if value == "*":
        return "*"
    if not isinstance(value, str) or _ORIGIN.fullmatch(value) is None:
        hint = 'write a scheme and a host, such as https://app.example.com or "https://*.example.com", or "*" for any'
        raise BadValueError(f"{describe(value)} is not an origin", hint)
    return value.lower()


def _error_status(value: object) -> str:
    text = str(value).lower()
    if _ERROR.fullmatch(text) is None:
        raise BadValueError(f"{describe(value)} is not a status of an error", "write one such as 404, 4xx or 5xx")
    return text


RequestField = Annotated[str, BeforeValidator(_request_field, json_schema_input_type=Written)]
ResponseField = Annotated[str, BeforeValidator(_response_field, json_schema_input_type=Written)]
FieldText = Annotated[str, BeforeValidator(_field_value, json_schema_input_type=Written)]
Origin = Annotated[str, BeforeValidator(_origin, json_schema_input_type=Written)]
ErrorStatus = Annotated[str, BeforeValidator(_error_status, json_schema_input_type=Written)]


class RequestFields(Section):
    """What is done to the fields of requests on their way to the app: remove, set, add, default, in this order."""

    set: dict[RequestField, FieldText] = Field(default={}, description="Fields that get this value, whatever came.")
    add: dict[RequestField, FieldText] = Field(default={}, description="Fields that are added to those that came.")
    default: dict[RequestField, FieldText] = Field(default={}, description="Fields for requests that have none.")
    remove: Annotated[tuple[RequestField, ...], one_or_more(Written)] = Field(
        default=(), description="Fields that do not go on."
    )


class ResponseFields(Section):
    """What is done to the fields of responses on their way to the client: remove, set, add, default, in this order."""

    set: dict[ResponseField, FieldText] = Field(default={}, description="Fields that get this value, whatever came.")
    add: dict[ResponseField, FieldText] = Field(default={}, description="Fields that are added to those that came.")
    default: dict[ResponseField, FieldText] = Field(default={}, description="Fields for responses that have none.")
    remove: Annotated[tuple[ResponseField, ...], one_or_more(Written)] = Field(
        default=(), description="Fields that do not go on."
    )


class FieldSettings(Section):
    """Header fields that are set or removed. Values may have placeholders: {host} {hostport} {path} {query} {client}
    {request_id} {scheme}.
    """

    request: RequestFields = Field(default=RequestFields(), description="Of requests, on their way to the app.")
    response: ResponseFields = Field(
        default=ResponseFields(), description="Of responses, those that lb makes itself included."
    )


def _max_age(value: object) -> float:
    return units.parse_duration(value, 0.0, 7 * _DAY)


class CorsSettings(Section):
    """Which other origins' scripts may use the app (CORS). What the app itself says about that is replaced."""

    origins: Annotated[tuple[Origin, ...], one_or_more(Written, empty=False)] = Field(
        description='Origins that may: https://app.example.com, "https://*.example.com", or "*" for any.'
    )
    methods: Annotated[tuple[str, ...], one_or_more(Written, empty=False)] = Field(
        default=("GET", "HEAD", "POST"), description="Methods that they may use."
    )
    headers: Annotated[tuple[str, ...], one_or_more(Written)] | None = Field(
        default=None, description="Request fields that they may send; without it whatever they ask for."
    )
    expose: Annotated[tuple[str, ...], one_or_more(Written)] = Field(
        default=(), description="Response fields that they may read."
    )
    credentials: Switch = Field(default=False, description="Whether cookies and credentials go along.")
    max_age: Annotated[float, BeforeValidator(_max_age, json_schema_input_type=Written)] = Field(
        default=3600.0, description="How long a browser may remember the answer; at most 7d."
    )


ErrorPages = dict[ErrorStatus, File]
"""HTML files in place of error pages, by status (404) or class (5xx)."""
