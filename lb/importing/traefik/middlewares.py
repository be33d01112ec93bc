"""Traefik's middlewares → settings of a route. One that guards, or is not known, and has no counterpart closes it."""

from __future__ import annotations

import re
from collections.abc import Callable

from lb.importing import values
from lb.importing.draft import Draft, Said, Settings, get, put
from lb.importing.judges import put_judge, usable_users
from lb.importing.omissions import Omissions, Weight
from lb.importing.regular_paths import regular_paths
from lb.importing.traefik.settings_tree import Branch

_DEEPEST = 10
_WHOLE = re.compile(r"\^?(https\??|https?|\(https\?\)):\\?/\\?/([^/]*?)/?(\(\.\*\)|\.\*)?\$?")
_HEADERS_NOTHING = values.words(
    "hostsproxyheaders addvaryheader sslredirect sslforcehost isdevelopment sslproxyheaders"
)
_NOTHING = values.words("compress contenttype retry grpcweb")
_SPECIAL_HEADERS = {
    "stsseconds": "",
    "stsincludesubdomains": "",
    "stspreload": "",
    "forcestsheader": "",
    "framedeny": "X-Frame-Options: DENY",
    "contenttypenosniff": "X-Content-Type-Options: nosniff",
    "browserxssfilter": "X-XSS-Protection: 1; mode=block",
}
_NAMED_HEADERS = {
    "customframeoptionsvalue": "X-Frame-Options",
    "referrerpolicy": "Referrer-Policy",
    "contentsecuritypolicy": "Content-Security-Policy",
    "contentsecuritypolicyreportonly": "Content-Security-Policy-Report-Only",
    "permissionspolicy": "Permissions-Policy",
    "custombrowserxssvalue": "X-XSS-Protection",
    "featurepolicy": "Feature-Policy",
}
_CORS = {
    "accesscontrolalloworiginlist": "origins",
    "accesscontrolalloworigin": "origins",
    "accesscontrolallowmethods": "methods",
    "accesscontrolallowheaders": "headers",
    "accesscontrolexposeheaders": "expose",
    "accesscontrolallowcredentials": "credentials",
    "accesscontrolmaxage": "max_age",
}
_CANNOT = {
    "errors": "write errors: {404: FILE, 5xx: FILE}",
    "circuitbreaker": "an instance that fails is passed over; see unhealthy_status and unhealthy_latency",
    "inflightreq": "see limits.client_connections and limits.waiting",
    "passtlsclientcert": "write client_ca on the domain: the app gets Client-Cert",
    "replacepathregex": "write a route with rewrite",
    "stripprefixregex": "write a route with rewrite",
}


class MiddlewareReader:
    """Puts middlewares into the settings of a route; `to_https` collects the redirects to HTTPS."""

    def __init__(self, tree: Branch, draft: Draft, omissions: Omissions) -> None:
        self._tree = tree
        self._draft = draft
        self._omissions = omissions
        self._readers: dict[str, Callable[[Branch, Settings, str], None]] = {
            "stripprefix": self._strip,
            "addprefix": self._prefix,
            "replacepath": self._replace,
            "redirectregex": self._redirect,
            "headers": self._headers,
            "basicauth": self._users,
            "forwardauth": self._judge,
            "ipallowlist": self._networks,
            "ipwhitelist": self._networks,
            "ratelimit": self._rate,
            "buffering": self._body,
        }

    def read(self, names: list[str], router: Branch, settings: Settings, path: str) -> bool:
        """Returns whether requests are redirected to HTTPS."""
        redirects = [self._one(name, router, (settings, path), 0) for name in names]
        return True in redirects

    def _one(self, name: str, router: Branch, into: tuple[Settings, str], depth: int) -> bool:
        settings, path = into
        bare = name.partition("@")[0].lower()
        middleware = self._tree.get(f"http.middlewares.{bare}")
        if middleware is None or not middleware.below or depth > _DEEPEST:
            self._close(router, settings, f"the middleware {name} is not defined here")
            return False
        redirects = False
        for kind, branch in middleware.below.items():
            if kind == "chain":
                for text, _ in branch.items("middlewares"):
                    redirects |= self._one(text, branch, into, depth + 1)
            elif kind == "redirectscheme":
                redirects |= branch.text("scheme") in ("https", "")
            elif kind in self._readers:
                self._readers[kind](branch, settings, path)
            elif kind in _CANNOT:
                self._omit(
                    Weight.BEHAVIOUR, branch, f"the middleware {name} ({kind}) has no counterpart", _CANNOT[kind]
                )
            elif kind not in _NOTHING:
                self._close(branch, settings, f"the middleware {name} ({kind}) has no counterpart")
        return redirects

    def _strip(self, branch: Branch, settings: Settings, path: str) -> None:
        prefixes = [text for text, _ in branch.items("prefixes")]
        fitting = [one for one in prefixes if path.startswith(one.rstrip("/"))]
        if len(fitting) == 1 and fitting[0].rstrip("/"):
            put(settings, ("strip",), fitting[0].rstrip("/"), branch.at)
        elif prefixes and prefixes != ["/"]:
            self._omit(Weight.ROUTING, branch, f"{', '.join(prefixes)}: a route strips one prefix, that of its path")

    @staticmethod
    def _prefix(branch: Branch, settings: Settings, _path: str) -> None:
        put(settings, ("prefix",), branch.text("prefix"), branch.at)

    @staticmethod
    def _replace(branch: Branch, settings: Settings, _path: str) -> None:
        put(settings, ("rewrite",), values.braces(branch.text("path")), branch.at)

    def _redirect(self, branch: Branch, settings: Settings, path: str) -> None:
        expression, replacement = branch.text("regex"), branch.text("replacement")
        found = _WHOLE.fullmatch(expression)
        template = re.sub(r"\$\{(\d)\}", r"$\1", replacement)
        status = 301 if branch.is_on("permanent") else 302
        if found is not None and template.endswith(("/$1", "/$2")) and "$" not in template[:-3].replace("${", ""):
            put(settings, ("redirect",), f"{template[:-3]}{{path}}", branch.at)
            put(settings, ("status",), status, branch.at)
            host = found[2].replace("\\", "")
            settings["only_host"] = Said(host, (branch.at,))
            return
        paths = regular_paths(re.sub(r"^\^?https?\??:\\?/\\?/[^/]+", "^", expression)) or []
        if len(paths) == 1 and paths[0].path.rstrip("/") == path.rstrip("/"):
            text = re.sub(r"\$(\d)", lambda one: paths[0].captures.get(one[1], ""), template)
            put(settings, ("redirect",), text, branch.at)
            put(settings, ("status",), status, branch.at)
            return
        self._omit(Weight.ROUTING, branch, f"redirectregex {expression}: the expression has no path of lb")

    def _headers(self, branch: Branch, settings: Settings, _path: str) -> None:
        for side in ("request", "response"):
            fields = branch.get(f"custom{side}headers")
            for name, field in fields.below.items() if fields is not None else ():
                self._field(side, name, field, settings)
        self._security(branch, settings)
        self._cors(branch, settings)
        for key, one in branch.below.items():
            if key not in {"customrequestheaders", "customresponseheaders", *_SPECIAL_HEADERS, *_NAMED_HEADERS, *_CORS}:
                self._header_option(key, one)

    def _header_option(self, key: str, branch: Branch) -> None:
        if key in _HEADERS_NOTHING:
            return
        weight = Weight.ACCESS if key == "allowedhosts" else Weight.BEHAVIOUR
        self._omit(weight, branch, f"headers.{key} has no counterpart")

    def _field(self, side: str, name: str, field: Branch, settings: Settings) -> None:
        name = "-".join(part.capitalize() for part in name.split("-"))
        if not field.value:
            reason = values.remove_field(settings, side, name, field.at)
        elif side == "request" and name.lower() in ("x-forwarded-proto", "x-real-ip", "x-forwarded-for"):
            reason = "lb sends it by itself"
        else:
            value = values.braces_but_variables(field.value)
            reason = values.put_field(settings, side, "set", (name, value), field.at)
        if reason is not None:
            self._omit(Weight.BEHAVIOUR, field, f"{name}: {reason}")

    @staticmethod
    def _security(branch: Branch, settings: Settings) -> None:
        seconds = branch.get("stsseconds")
        if seconds is not None and seconds.value not in ("0", ""):
            parts = [f"max-age={seconds.value}"]
            parts += ["includeSubDomains"] if branch.is_on("stsincludesubdomains") else []
            parts += ["preload"] if branch.is_on("stspreload") else []
            field = ("Strict-Transport-Security", "; ".join(parts))
            values.put_field(settings, "response", "set", field, seconds.at)
        for key, line in _SPECIAL_HEADERS.items():
            found = branch.get(key)
            if line and found is not None and branch.is_on(key):
                name, _, value = line.partition(": ")
                values.put_field(settings, "response", "set", (name, value), found.at)
        for key, name in _NAMED_HEADERS.items():
            found = branch.get(key)
            if found is not None and found.value:
                value = values.braces_but_variables(found.value)
                values.put_field(settings, "response", "set", (name, value), found.at)

    def _cors(self, branch: Branch, settings: Settings) -> None:
        for key, mine in _CORS.items():
            items = branch.items(key)
            if not items:
                continue
            at = items[0][1]
            if mine == "credentials":
                put(settings, ("cors", mine), branch.is_on(key), at)
            elif mine == "max_age":
                put(settings, ("cors", mine), values.duration(items[0][0]) or "1h", at)
            elif not (mine == "headers" and [text for text, _ in items] == ["*"]):
                put(settings, ("cors", mine), tuple(text for text, _ in items), at)
        credentials, origins = get(settings, "cors", "credentials"), get(settings, "cors", "origins")
        if "cors" in settings and origins is None:
            del settings["cors"]
            self._omit(Weight.BEHAVIOUR, branch, "the origins of CORS are not named")
        elif credentials is not None and credentials.value and origins is not None and "*" in origins.value:
            del settings["cors"]["credentials"]
            self._omit(Weight.BEHAVIOUR, branch, "credentials for scripts of every origin: name the origins")

    def _users(self, branch: Branch, settings: Settings, _path: str) -> None:
        file = branch.get("usersfile")
        users = [text for text, _ in branch.items("users")]
        if file is not None:
            put(settings, ("basic_auth",), file.value, file.at)
        elif users and not any(values.is_variable(one) for one in users):
            users, told = usable_users(users, branch.at)
            for at, message in told:
                self._omissions.add(Weight.ACCESS, at, message, "make a hash with htpasswd -B")
            if users:
                put(settings, ("basic_auth",), self._draft.file("htpasswd", users, branch.at), branch.at)
            else:
                self._close(branch, settings, "basicauth: none of the users has a hash that lb knows")
        else:
            hint = "write the users into a file, and basic_auth: FILE into the route"
            self._close(branch, settings, f"basicauth: the users are not known here ({', '.join(users)})", hint)

    def _judge(self, branch: Branch, settings: Settings, _path: str) -> None:
        copied = branch.items("authresponseheaders")
        names = Said(tuple(text for text, _ in copied), (copied[0][1],)) if copied else None
        if reason := put_judge(settings, Said(branch.text("address"), (branch.at,)), names):
            self._close(branch, settings, f"forwardauth: {reason}")
            return
        for key in ("authresponseheadersregex", "authrequestheaders", "addauthcookiestoresponse", "tls"):
            found = branch.get(key)
            if found is not None:
                self._omit(Weight.BEHAVIOUR, found, f"forwardauth.{key} has no counterpart")

    def _networks(self, branch: Branch, settings: Settings, _path: str) -> None:
        items = branch.items("sourcerange")
        networks = tuple(values.network(text) for text, _ in items)
        if not items or None in networks:
            self._close(branch, settings, "ipallowlist: a network is not known here")
            return
        put(settings, ("allow",), networks, items[0][1])

    def _rate(self, branch: Branch, settings: Settings, _path: str) -> None:
        average, period = branch.text("average"), values.seconds(branch.text("period") or "1s") or 1.0
        if branch.get("sourcecriterion.requestheadername") or branch.get("sourcecriterion.requesthost"):
            self._omit(Weight.ACCESS, branch, "ratelimit: lb counts the requests of a client, and by nothing else")
            return
        if average.isdecimal() and int(average):
            units = {1.0: "s", 60.0: "m", 3600.0: "h"}
            unit = units.get(period, "h")
            count = int(average) if period in units else max(round(int(average) * 3600 / period), 1)
            put(settings, ("limits", "client_rate"), f"{count}/{unit}", branch.at)
            burst = branch.text("burst") or "1"
            if burst.isdecimal():
                put(settings, ("limits", "client_burst"), int(burst), branch.at)

    @staticmethod
    def _body(branch: Branch, settings: Settings, _path: str) -> None:
        most = branch.get("maxrequestbodybytes")
        if most is not None and values.size(most.value) not in (None, "0"):
            put(settings, ("limits", "body"), values.size(most.value), most.at)
        put(settings, ("buffering",), "on", branch.at)

    def _close(self, branch: Branch, settings: Settings, message: str, hint: str = "") -> None:
        put(settings, ("deny",), True, branch.at, note="closed: what stands before it has no counterpart")
        self._omit(Weight.ACCESS, branch, message, hint or "the route is closed until you open it")

    def _omit(self, weight: Weight, branch: Branch, message: str, hint: str = "") -> None:
        self._omissions.add(weight, branch.at, message, hint)
