"""What the settings of routes that serve files mean together, and whether the files are there.

The same kind of rules as in rules.py, which runs them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lb.config.model import App
from lb.config.problems import KeyPath, Problem, dotted
from lb.config.route_settings import RouteSettings, serves_itself
from lb.config.rule_context import RuleContext

_OF_FILES = ("index", "fallback", "cache_control")
_OF_APPS = ("app", "redirect", "strip", "prefix", "rewrite")


def _routes(scene: RuleContext) -> Iterator[tuple[KeyPath, RouteSettings]]:
    for name, app in scene.config.apps.items():
        for index, route in enumerate(app.routes):
            yield ("apps", name, "routes", index), route


def _files_stand_alone(scene: RuleContext) -> Iterator[Problem]:
    for path, route in _routes(scene):
        if route.files is not None:
            for key in _OF_APPS:
                if getattr(route, key) is not None:
                    message = f"the route serves files, so {key} is not used"
                    yield scene.origin.problem((*path, key), message, f"remove {key} or files")
            continue
        for key in _OF_FILES:
            if key in route.model_fields_set and scene.is_certain(*map(str, path), "files"):
                message = f"{key} is about files, and the route serves none"
                yield scene.origin.problem((*path, key), message, "add files: with a directory, or remove it")


def _files_are_there(scene: RuleContext) -> Iterator[Problem]:
    for path, route in _routes(scene):
        if route.files is None:
            continue
        here = (*path, "files")
        if not os.path.isdir(route.files):  # noqa: PTH112 - which raises for no name, however odd
            message = "this is not a directory" if os.path.exists(route.files) else "there is no such directory"  # noqa: PTH110
            yield scene.origin.problem(here, message, "write the directory that has the files")
        elif not os.access(route.files, os.R_OK | os.X_OK):
            message = "the directory may not be read by the user that runs this"
            yield scene.origin.problem(here, message, "give that user read and search permission on it")
        elif route.fallback is not None and not os.path.isfile(route.files / route.fallback):  # noqa: PTH113 - as above
            message = "there is no such file in the directory"
            yield scene.origin.problem((*path, "fallback"), message, "write the name of a file in the directory")


def _keys_are_not_served(scene: RuleContext) -> Iterator[Problem]:
    keys = [certificate.key for certificate in scene.config.tls.certificates]
    for path, route in _routes(scene):
        if route.files is None:
            continue
        root = Path(os.path.realpath(route.files))
        for key in keys:
            if _is_below(Path(os.path.realpath(key)), root):
                message = "the directory has a private key of tls.certificates in it, which anybody could fetch then"
                yield scene.origin.problem((*path, "files"), message, "serve a directory that has public files alone")


def _is_below(file: Path, root: Path) -> bool:
    """Whether the file would be served from there: nothing on its way is hidden."""
    return file.is_relative_to(root) and not any(part.startswith(".") for part in file.relative_to(root).parts)


def _instances_are_named(scene: RuleContext) -> Iterator[Problem]:
    for path, environment in scene.environments():
        app: App = scene.config.apps[str(path[1])]
        serves = environment.instances or environment.deploy or serves_itself(app.routes)
        if not serves and all(scene.is_certain(*map(str, path), key) for key in ("instances", "deploy")):
            message = f"{dotted(path)} has neither instances nor deploy"
            hint = "add instances: [127.0.0.1:3000], or deploy: true for an app that lb deploy hands over"
            yield scene.origin.problem(path, message, hint)


def _routes_need_no_instances(scene: RuleContext) -> Iterator[Problem]:
    for path, route in _routes(scene):
        app = scene.config.apps[str(path[1])]
        environments = (app.production, app.staging)
        if not serves_itself(app.routes) or all(one is None or one.instances or one.deploy for one in environments):
            continue
        everybody = {str(network) for network in route.deny} >= {"0.0.0.0/0", "::/0"}
        if route.files is None and route.redirect is None and route.app is None and not everybody:
            message = "the route leads to an instance of the app, which has none"
            hint = "add production: {instances: [127.0.0.1:3000]} to the app, or files, redirect or app to the route"
            yield scene.origin.problem(path, message, hint)


FILE_RULES = (
    _files_stand_alone,
    _files_are_there,
    _keys_are_not_served,
    _instances_are_named,
    _routes_need_no_instances,
)
