"""The documentation is true: its links lead somewhere, its examples load, its commands, options and files exist.

What is code in it is read as code: YAML by the product's own checker, `lb …` lines by the product's own command line,
Python by Python. What it lists (causes, metrics, commands, fields of the log) is compared with what there is.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import yaml
from click.testing import CliRunner
from flask import request
from uvicorn.main import main as uvicorn

from lb.cli.main import main
from lb.config.load import load_bytes
from lb.errors import CAUSES
from lb.telemetry import prometheus, prometheus_deployed
from lb.telemetry.lines import json_line
from lb.telemetry.metrics import COUNTER_METRICS
from lb.telemetry.record import Record

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
BESIDE = [
    ROOT / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "benchmarks/README.md",
        "certs/README.md",
        "tests/CLAUSES.md",
    )
]
PAGES = [*BESIDE, *DOCS]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
# What the repository keeps; benchmarks/results/ and certs/ are filled when lb is used.
_FILE = re.compile(r"(?!benchmarks/results/)(?:lb|tests|config|docs|benchmarks)/[\w./-]*")
_LB = ("lb", ".venv/bin/lb", "/opt/lb/bin/lb")
_CHEAP = {("check",), ("config", "example"), ("config", "schema"), ("version",), ("help",)}

BASE: dict[str, Any] = {
    "listen": {"http": ":80", "https": ":443"},
    "tls": {"certificates": {"cert": "a", "key": "b"}},
    "apps": {"shop": {"domains": ["shop.example.com"], "production": {"instances": ["127.0.0.1:3000"]}}},
}


class Block(NamedTuple):
    page: Path
    language: str
    text: str


def title(value: object) -> str | None:
    match value:
        case Path():
            return value.relative_to(ROOT).as_posix()
        case Block():
            first = value.text.strip().splitlines()[0]
            return f"{value.page.relative_to(ROOT).as_posix()}: {first}"
        case _:
            return None


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def prose_of(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text_of(page))


def blocks(*languages: str) -> list[Block]:
    return [
        Block(page, language, body)
        for page in PAGES
        for language, body in _FENCE.findall(text_of(page))
        if language in languages
    ]


def github_slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def mkdocs_slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


@cache
def headings(page: Path) -> tuple[tuple[int, str], ...]:
    return tuple((len(marks), words) for marks, words in _HEADING.findall(prose_of(page)))


def pages(among: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", among, ids=title)


# Links


@pages(PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", prose_of(page))):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if page in DOCS:
            assert target in DOCS, f"{link} leads out of the pages that are built"
        if anchor:
            assert anchor in map(github_slug, (words for _, words in headings(target))), f"{link}: no such heading"


@pages(DOCS)
def test_anchors_are_the_same_wherever_a_page_is_shown(page: Path) -> None:
    slugs = Counter(github_slug(words) for _, words in headings(page))
    assert max(slugs.values()) == 1, slugs.most_common(1)
    for _, words in headings(page):
        assert github_slug(words) == mkdocs_slug(words), words


@pages([page for page in DOCS if page.name != "index.md"])
def test_a_page_begins_with_a_table_of_contents(page: Path) -> None:
    sections = [words for level, words in headings(page) if level == 2]
    top = text_of(page).partition("\n## ")[0]
    assert re.findall(r"^- \[(.+)\]\(#(.+)\)$", top, re.MULTILINE) == [
        (words, github_slug(words)) for words in sections
    ]


def test_every_page_is_built_and_listed() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def leaves(node: Any) -> Iterator[str]:
        if isinstance(node, str):
            yield node
        else:
            for inner in node.values() if isinstance(node, dict) else node:
                yield from leaves(inner)

    names = sorted(page.name for page in DOCS)
    assert sorted(leaves(settings["nav"])) == names
    listed = set(_LINK.findall(text_of(ROOT / "docs" / "index.md")))
    assert listed == set(names) - {"index.md"}
    assert {f"docs/{name}" for name in listed} <= set(_LINK.findall(text_of(ROOT / "README.md")))
    assert settings["plugins"] == [], "a plugin may need the network"


@pages(PAGES)
def test_files_that_are_named_exist(page: Path) -> None:
    for code in _CODE.findall(prose_of(page)):
        if found := re.fullmatch(rf"({_FILE.pattern})(::\w+)?", code):
            assert (ROOT / found[1]).exists(), f"{found[1]} does not exist"


# Configuration


def is_configuration(block: Block) -> bool:
    return not block.text.startswith("# compose.yaml")


def is_complete(example: Any) -> bool:
    return isinstance(example, dict) and {"listen", "apps"} <= set(example)


def test_there_are_configurations() -> None:
    examples = [yaml.safe_load(block.text) for block in blocks("yaml") if is_configuration(block)]
    assert sum(map(is_complete, examples)) >= 4
    assert len(examples) >= 12


@pytest.mark.parametrize("block", blocks("yaml"), ids=title)
def test_every_configuration_loads(block: Block) -> None:
    # spec: R1
    example = yaml.safe_load(block.text)
    if not is_configuration(block):
        assert "services" in example
    elif is_complete(example):
        assert load_bytes(block.page.name, block.text.encode(), {}).warnings == ()
    else:
        load_bytes(block.page.name, yaml.safe_dump({**BASE, **(example or {})}).encode(), {})


# Commands


def find(words: list[str]) -> tuple[click.Command, list[str], list[str]]:
    """The command that some words name, its path, and what follows it."""
    command: click.Command = main
    path: list[str] = []
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        inner = command.get_command(click.Context(command), words[0])
        assert inner is not None, f"there is no command {' '.join([*path, words[0]])}"
        command, path, words = inner, [*path, words[0]], words[1:]
    return command, path, words


def options_of(command: click.Command) -> set[str]:
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}


def every_command(command: click.Command = main, path: str = "lb") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from every_command(inner, f"{path} {name}")


def shell_lines() -> list[Block]:
    return [Block(page, "sh", line) for page, _, body in blocks("sh") for line in body.splitlines() if line.strip()]


def words_of(line: str) -> list[str]:
    """The words of a shell line, without comments and redirections."""
    words = shlex.split(line, comments=True)
    return words[: words.index(">")] if ">" in words else words


@pages(PAGES)
def test_commands_that_are_named_exist(page: Path) -> None:
    for code in _CODE.findall(prose_of(page)):
        if not code.startswith("lb "):
            continue
        command, _, rest = find(code.split()[1:])
        named = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert named <= options_of(command), code


@pytest.mark.parametrize("line", shell_lines(), ids=title)
def test_shell_lines_can_be_run(line: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = words_of(line.text)
    if program == "make":
        targets = re.findall(r"^([a-z-]+(?: [a-z-]+)*):", text_of(ROOT / "Makefile"), re.MULTILINE)
        assert words[0] in " ".join(targets).split()
        files = [word.removeprefix("F=") for word in words if word.startswith("F=")]
        assert all((ROOT / name).exists() for name in files)
    elif program == "uvicorn":
        assert uvicorn.make_context("uvicorn", words).params["forwarded_allow_ips"]
    elif program in _LB:
        command, path, rest = find(words)
        with command.make_context("lb", rest[:], parent=click.Context(main)) as context:
            assert context.params or not rest
        if tuple(path) in _CHEAP:
            monkeypatch.chdir(tmp_path)
            write_example(line.page, tmp_path / "shop.yaml")
            done = CliRunner().invoke(main, words, prog_name="lb")
            assert done.exit_code == 0, done.output
    elif program == "cp":
        assert (ROOT / words[0]).exists()
    else:
        assert program in {"pip", ".venv/bin/pip", "/opt/lb/bin/pip", "python3", "useradd", "systemctl"}


def write_example(page: Path, file: Path) -> None:
    """The first whole configuration of a page; if it has none, that of the page about configurations."""
    for of in (page, ROOT / "docs" / "configuration.md"):
        for block in blocks("yaml"):
            if block.page == of and is_configuration(block) and is_complete(yaml.safe_load(block.text)):
                file.write_text(block.text, encoding="utf-8")
                return


def test_the_page_of_commands_has_every_command_and_option() -> None:
    page = prose_of(ROOT / "docs" / "commands.md")
    named = {" ".join(["lb", *find(code.split()[1:])[1]]) for code in _CODE.findall(page) if code.startswith("lb ")}
    assert named >= {path for path, _ in every_command()}
    options = {name for _, command in every_command() for name in options_of(command) if name.startswith("-")} - {"-h"}
    written = {word for code in _CODE.findall(text_of(ROOT / "docs" / "commands.md")) for word in code.split()}
    written |= {word for block in blocks("sh") if block.page.name == "commands.md" for word in block.text.split()}
    assert options <= written
    assert {word for word in written if word.startswith("--")} <= options | {"--version"}


# What there is to see


def rows_of(section: str) -> str:
    return text_of(ROOT / "docs" / "operations.md").partition(f"\n## {section}\n")[2].partition("\n## ")[0]


def test_every_cause_is_listed() -> None:
    # spec: E1
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", rows_of("Causes"), re.MULTILINE)
    assert rows == [(cause.code, str(cause.status), cause.sentence) for cause in CAUSES.values()]


def test_causes_of_outages_exist() -> None:
    named = {
        code for code in _CODE.findall(rows_of("Outages and what names them")) if re.fullmatch(r"[a-z]+(_\w+)+", code)
    }
    assert {name for name in named if not name.startswith("lb_")} <= set(CAUSES)


def test_every_metric_is_listed() -> None:
    # spec: O1
    modules = (prometheus, prometheus_deployed)  # gauges that are no counters, and what comes and goes
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    metrics = {metric.name for metric in COUNTER_METRICS} | set(re.findall(r"\blb_[a-z0-9_]+\b", source))
    assert set(re.findall(r"\blb_[a-z0-9_]+\b", rows_of("Metrics"))) == metrics


def test_every_field_of_the_log_is_listed() -> None:
    # spec: R4
    record = Record()
    record.of_none()
    record.cause, record.detail = "http_request_error", b"x"
    for name in ("client", "scheme", "app", "environment", "instance", "request_id"):
        setattr(record, name, b"x")
    record.status = record.sent = record.received = 0
    record.duration = 0.0
    fields = json.loads(json_line(record, b"now"))
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.+?) \|", rows_of("Logs"), re.MULTILINE)))) == set(
        fields
    )


# Recipes


def test_python_is_python() -> None:
    for block in blocks("python"):
        compile(block.text, block.page.name, "exec")


def recipe(section: str, language: str = "python") -> list[str]:
    page = text_of(ROOT / "docs" / "recipes.md")
    part = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [body for found, body in _FENCE.findall(part) if found == language]


CHAINS = [
    (1, "203.0.113.7", "203.0.113.7"),
    (2, "203.0.113.7, 172.64.0.1", "203.0.113.7"),
    (2, "6.6.6.6, 203.0.113.7, 172.64.0.1", "203.0.113.7"),
    (2, "203.0.113.7", "127.0.0.1"),  # past the CDN
    (1, "", "127.0.0.1"),
]


@pytest.mark.parametrize(("proxies", "chain", "address"), CHAINS)
def test_the_recipe_for_flask_finds_the_client(proxies: int, chain: str, address: str) -> None:
    # spec: H2
    (source,) = recipe("Flask")
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(source.replace("x_for=1", f"x_for={proxies}"), names)
    app = names["app"]
    app.add_url_rule("/", view_func=lambda: f"{request.remote_addr} {request.scheme}")
    fields = {"X-Forwarded-For": chain, "X-Forwarded-Proto": "https"}
    assert app.test_client().get("/", headers=fields).text == f"{address} https"


@pytest.mark.parametrize(("proxies", "chain", "address"), CHAINS)
def test_the_recipe_for_django_finds_the_client(proxies: int, chain: str, address: str) -> None:
    # spec: H2
    names: dict[str, Any] = {}
    for source in recipe("Django"):
        exec(source, names)
    names["ClientAddress"].PROXIES = proxies

    class Request:
        META = {"REMOTE_ADDR": "127.0.0.1"} | ({"HTTP_X_FORWARDED_FOR": chain} if chain else {})

    names["ClientAddress"](lambda _: None)(Request)
    assert Request.META["REMOTE_ADDR"] == address
