"""Where people reach an environment of an app: the URLs of its domains, as far as the configuration tells.

This file knows domains and listeners. It must not know whether anything serves there.
"""

from __future__ import annotations

from lb.config.model import Config
from lb.config.names import CATCH_ALL, is_staging, shared_names

_USUAL = {"http": 80, "https": 443}


def app_urls(config: Config, app: str, environment: str) -> list[str]:
    """By HTTPS where there is a listener for it. Wildcards, and ports that the system picks, cannot be named."""
    scheme, listeners = ("https", config.listen.https) if config.listen.https else ("http", config.listen.http)
    port = listeners[0].port if listeners else 0
    if not port or app not in config.apps:
        return []
    names = [domain.name for domain in config.apps[app].domains]
    if config.shared_domain is not None:
        names += shared_names(app, config.shared_domain)
    end = "" if port == _USUAL[scheme] else f":{port}"
    fitting = [one for one in names if is_staging(one) == (environment == "staging")]
    return [f"{scheme}://{one}{end}" for one in fitting if one != CATCH_ALL and not one.startswith("*.")]
