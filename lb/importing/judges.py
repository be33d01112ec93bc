"""Guards that need more than a key: authentication services that are asked, and files of users.

What lb cannot use is said here once for all languages; who closes the route then is the caller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lb.config.guard_settings import ForwardAuthSettings
from lb.importing.draft import Said, Settings
from lb.importing.source_line import SourceLine
from lb.passwords.password_file import bad_lines

_REASON = re.compile(r"Value error, (.*?) \[type=")  # of the settings that are refused


def put_judge(settings: Settings, url: Said, copied: Said | None) -> str:
    """Sets `forward_auth`; returns why it cannot be, "" if it is."""
    names = tuple(copied.value) if copied is not None else ()
    try:
        ForwardAuthSettings.model_validate({"url": url.value, "copy": names})
    except ValueError as error:
        return "; ".join(_REASON.findall(str(error)))
    settings["forward_auth"] = {"url": url} | ({"copy": copied} if copied is not None and names else {})
    return ""


def usable_users(users: Sequence[str], at: SourceLine) -> tuple[list[str], list[tuple[SourceLine, str]]]:
    """The lines of a file of users that let somebody in, and what is wrong with the others."""
    data = "".join(f"{user}\n" for user in users).encode()
    bad = {line.number: line for line in bad_lines(data)}
    kept = [user for number, user in enumerate(users, 1) if number not in bad]
    told = [(at, f"the user {users[number - 1].partition(':')[0]}: {line.message}") for number, line in bad.items()]
    return kept, told
