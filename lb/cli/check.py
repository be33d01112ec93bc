"""`lb check FILE`: everything that is wrong with a configuration and the certificate files it names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lb.cli.check_log import check_access_log
from lb.cli.check_reload import changes_of_a_reload
from lb.cli.descriptors import descriptor_warnings
from lb.cli.exits import BAD_CONFIGURATION
from lb.config.load import Loaded, load_file
from lb.config.model import App, Tls
from lb.config.names import is_local, wildcard_of
from lb.config.plan import Plan
from lb.config.problems import ConfigErrors, KeyPath, Problem, in_order, printable
from lb.config.trusted_proxies import ages

if TYPE_CHECKING:
    from lb.tls.files.certificate import Certificate
    from lb.tls.handshake.contexts import Contexts


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def check(context: click.Context, file: Path) -> None:
    """Report everything that is wrong with the configuration in FILE, at once.

    Errors and warnings go to standard error. Exit code 0: FILE can be served; 78: it cannot.
    """
    try:
        loaded = load_file(file, os.environ)
        warnings = (*loaded.warnings, *_check_files(loaded), *descriptor_warnings(loaded))
    except ConfigErrors as failure:
        _print_problems((*failure.problems, *failure.warnings))
        click.echo(f"{printable(str(file))}: {_tally(failure.problems, failure.warnings)}", err=True)
        context.exit(BAD_CONFIGURATION)
    _print_problems(warnings)
    click.echo(f"{printable(str(file))} is fine: {summary(loaded.plan)}")
    for line in ages(loaded.config.trusted_proxies, datetime.now(UTC).date()):
        click.echo(line)
    for change in changes_of_a_reload(file):
        click.echo(f"after a reload, {printable(change)}")


def _check_files(loaded: Loaded) -> list[Problem]:
    """Warnings about the files that a configuration names. Raises ConfigErrors with all errors."""
    problems = check_access_log(loaded)
    errors = [problem for problem in problems if problem.level == "error"]
    harmless = [problem for problem in problems if problem.level == "warning"]
    try:
        warnings = [*harmless, *check_certificates(loaded)]
    except ConfigErrors as failure:
        raise ConfigErrors((*errors, *failure.problems), (*failure.warnings, *harmless)) from None
    if errors:
        raise ConfigErrors(errors, (*loaded.warnings, *warnings))
    return warnings


def summary(plan: Plan) -> str:
    """What a configuration serves, in one line."""
    listen = plan.config.listen
    return ", ".join(
        (
            _count(len(listen.http) + len(listen.https), "listener"),
            _count(len(plan.domains), "app"),
            _count(sum(map(len, plan.domains.values())), "domain"),
            _count(len(plan.instance_names), "instance"),
        )
    )


def check_certificates(loaded: Loaded, contexts: Contexts | None = None) -> list[Problem]:
    """Loads the certificates that a configuration names and returns warnings. Raises ConfigErrors for bad ones.

    What `contexts` of a running service already present is not loaded again.
    """
    config, origin = loaded.config, loaded.origin
    may_have_stored = bool(config.listen.https) and (config.tls.store / "certificates").is_dir()
    if not config.tls.certificates and config.tls.acme is None and not may_have_stored:
        return _about_nothing(loaded) or _about_uncovered(loaded, lambda _: False)
    # cryptography takes long to import, and plain HTTP does not need it
    from lb.tls.acme.desired import certificate_plan  # noqa: PLC0415  cryptography takes long to import
    from lb.tls.files.certificate import TlsError  # noqa: PLC0415  cryptography takes long to import
    from lb.tls.files.sources import StoredSource, handshake_policy  # noqa: PLC0415  cryptography takes long to import
    from lb.tls.handshake.sni_map import Presented, present  # noqa: PLC0415  cryptography takes long to import

    try:
        before = contexts.presented if contexts is not None else Presented()
        presented = present(config.tls.certificates, before, handshake_policy(loaded.plan.tls))
    except TlsError as error:
        paths = _places(config.tls, config.apps)
        bad = [origin.problem(paths[file.path], str(file), _about_missing(file.path, paths)) for file in error.problems]
        raise ConfigErrors(bad, loaded.warnings) from None
    warnings = [origin.key_problem(("tls", "certificates"), text, level="warning") for text in presented.warnings]
    if config.tls.acme is not None:
        plan = certificate_plan(loaded.plan.tls, lambda name: presented.find(name) is not None)
        return warnings + [origin.key_problem(("tls", "acme"), text, level="warning") for text in plan.warnings]
    source = StoredSource(loaded.plan.tls, before.shelf)
    stored = source.certificates() if may_have_stored else []
    said = (f"{problem}; it is not presented" for problem in source.problems[:_MOST_SAID])
    warnings += [origin.key_problem(("tls", "store"), text, _REPLACE, "warning") for text in said]
    if stored:
        warnings.append(origin.key_problem(("tls",), _about_stored(stored), _RENEW, "warning"))
    elif not presented.by_name:
        return warnings + (_about_nothing(loaded) or _about_uncovered(loaded, lambda _: False))
    names = {name for certificate in stored for name in certificate.names}
    return warnings + _about_uncovered(loaded, lambda name: presented.find(name) is not None or _has(names, name))


def _has(names: AbstractSet[str], name: str) -> bool:
    return not names.isdisjoint((name, wildcard_of(name)))


def _about_uncovered(loaded: Loaded, is_covered: Callable[[str], bool]) -> list[Problem]:
    """Warnings about domains whose handshakes will fail."""
    config, origin = loaded.config, loaded.origin
    if not config.listen.https:
        return []
    from lb.tls.acme.desired import lacking  # noqa: PLC0415  plain HTTP does not need it

    missing = lacking(loaded.plan.tls, is_covered)
    places = {
        domain.name: (("apps", app, "domains", index), domain.force_https)
        for app, settings in config.apps.items()
        for index, domain in enumerate(settings.domains)
    }
    warnings = []
    for name in missing[:_MOST_SAID]:
        where, is_forced = places.get(name, (("shared_domain",), False))
        if is_forced:
            message = f"{name} redirects to HTTPS, but no certificate covers it"
            where = (*where, "force_https")
        else:
            message = f"no certificate covers {name}: HTTPS fails for it"
        warnings.append(origin.problem(where, message, _ADD, "warning"))
    if len(missing) > _MOST_SAID:
        message = f"no certificate covers {len(missing) - _MOST_SAID} more domains (lb certs list --config names them)"
        warnings.append(origin.key_problem(("tls",), message, _ADD, "warning"))
    return warnings


_MOST_SAID = 10  # unusable files of a store: after fixing these, the next check shows the rest
_ADD = "add one for it to tls.certificates, put one into the store (lb certs import), or set tls.acme"
_REPLACE = "replace it with lb certs import, or remove it"
_RENEW = "set tls.acme to have them renewed, or import new ones in time (lb certs import)"


def _about_stored(stored: Sequence[Certificate]) -> str:
    """The warning after tls.acme was removed: the stored certificates stay in use, and expire."""
    from lb.tls.acme.store import unstem  # noqa: PLC0415  it imports cryptography, which takes long

    first = min(stored, key=lambda one: one.not_after)
    ends = f"{unstem(first.path.stem)} on {first.not_after:%Y-%m-%d}"
    return f"certificates of the store are presented, and nothing renews them: the first to expire is that of {ends}"


def _about_nothing(loaded: Loaded) -> list[Problem]:
    """A warning about HTTPS with an empty store and nothing else."""
    config = loaded.config
    bound = [domain.name for app in config.apps.values() for domain in app.domains]
    local = any(map(is_local, bound)) or is_local(config.shared_domain or "")
    if not config.listen.https or config.tls.certificates or config.tls.acme is not None or local:
        return []
    message = f"the store {config.tls.store} has no certificate for a bound domain: HTTPS fails until it has"
    hint = "put one there with lb certs import, or set tls.acme"
    return [loaded.origin.problem(("tls", "store"), message, hint, "warning")]


def _places(tls: Tls, apps: Mapping[str, App]) -> dict[Path, KeyPath]:
    """The key that names each file."""
    paths: dict[Path, KeyPath] = {}
    for index, pair in enumerate(tls.certificates):
        paths.setdefault(pair.cert, ("tls", "certificates", index, "cert"))
        paths.setdefault(pair.key, ("tls", "certificates", index, "key"))
    for app, settings in apps.items():
        for index, domain in enumerate(settings.domains):
            if domain.client_ca is not None:
                paths.setdefault(domain.client_ca, ("apps", app, "domains", index, "client_ca"))
    return paths


def _about_missing(file: Path, paths: dict[Path, KeyPath]) -> str:
    if file.exists():
        return ""
    where = "" if file.is_absolute() else f"the path is relative to the working directory, {Path.cwd()}: "
    instead = "" if paths[file][-1] == "client_ca" else ", or have lb obtain certificates (tls.acme)"
    return f"{where}write the path of an existing file{instead}"


def _print_problems(problems: Iterable[Problem]) -> None:
    for problem in in_order(problems):
        click.echo(str(problem), err=True)


def _tally(errors: tuple[Problem, ...], warnings: tuple[Problem, ...]) -> str:
    counts = _count(len(errors), "error")
    return f"{counts}, {_count(len(warnings), 'warning')}" if warnings else counts


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
