"""Every fenced block of README and the docs is run by a test, or the table says why it is not.

In the same pages and in the texts of the program, every `actions ...` is a command with options
that exist.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from framework.cli.app import actions
from tests.guides import blocks_in

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("examples/*/*.md")),
]

RUN = """
README.md                   sh          4   tests/test_page_commands.py
README.md                   sh          1   tests/test_readme.py
README.md                   console     5   tests/test_readme.py
README.md                   yaml        2   tests/test_readme.py
README.md                   json        1   tests/test_readme.py
README.md                   text        1   tests/test_readme.py
README.md                   python      2   tests/test_readme.py
README.md                   toml        1   tests/test_readme.py
docs/audiences.md           console     9   tests/test_audiences_page.py
docs/audiences.md           text        5   tests/test_audiences_page.py
docs/audiences.md           python      1   tests/test_page_commands.py
docs/audiences.md           yaml        1   tests/test_page_commands.py
docs/authoring.md           console    11   tests/test_authoring_page.py
docs/authoring.md           json        2   tests/test_authoring_page.py
docs/authoring.md           text        5   tests/test_authoring_page.py
docs/authoring.md           python      7   tests/test_authoring_page.py
docs/authoring.md           yaml        2   tests/test_authoring_page.py
docs/batching.md            python      5   tests/test_batching_page.py
docs/certify.md             sh          1   tests/test_page_commands.py
docs/certify.md             python      2   tests/test_page_commands.py
docs/connection-files.md    yaml        1   tests/test_connection_files_page.py
docs/criteo.md              yaml        2   tests/destinations/criteo_audiences/test_definition.py
docs/criteo.md              console     1   tests/destinations/criteo_audiences/test_setup_page.py
docs/delivery-options.md    yaml        1   tests/test_delivery_options_page.py
docs/diagnostics.md         yaml        *   tests/framework/linting/test_catalogue.py
docs/diagnostics.md         json        *   tests/framework/linting/test_catalogue.py
docs/dynamic-fields.md      python      2   tests/test_testing_pages.py
docs/events.md              console     2   tests/test_page_commands.py
docs/events.md              python      1   tests/test_page_commands.py
docs/filters.md             yaml        1   tests/test_filters_page.py
docs/generated-code.md      yaml        1   tests/reference_pages.py
docs/generated-code.md      python      1   tests/reference_pages.py
docs/hooks.md               python      *   tests/framework/catalogue/test_contract_page.py
docs/intake.md              python      1   tests/test_page_commands.py
docs/jobs.md                python      1   tests/test_page_commands.py
docs/mappings.md            json        *   tests/framework/mapping/test_directives.py
docs/memberships.md         console     1   tests/test_page_commands.py
docs/migrations.md          text        1   tests/test_migrations_page.py
docs/migrations.md          yaml        1   tests/test_migrations_page.py
docs/migrations.md          python      1   tests/test_migrations_page.py
docs/moving.md              sh          1   tests/test_page_commands.py
docs/moving.md              console     2   tests/test_moving_page.py
docs/moving.md              text        1   tests/test_moving_page.py
docs/name-clashes.md        console     1   tests/test_name_clashes.py
docs/name-clashes.md        python      1   tests/test_name_clashes.py
docs/name-clashes.md        text        1   tests/test_name_clashes.py
docs/normalize.md           python      1   tests/framework/normalize/test_normalize_page.py
docs/operations.md          console     6   tests/test_page_commands.py
docs/operations.md          ini         1   tests/test_deployment_examples.py
docs/operations.md          dockerfile  1   tests/test_deployment_examples.py
docs/operations.md          crontab     1   tests/test_deployment_examples.py
docs/operations.md          text        1   tests/test_deployment_examples.py
docs/results.md             python      1   tests/test_results_page.py
docs/sandboxes.md           python      2   tests/test_testing_pages.py
docs/security.md            python      2   tests/test_page_commands.py
docs/skipped-events.md      yaml        1   tests/test_skipped_events_page.py
docs/skipped-events.md      json        1   tests/test_skipped_events_page.py
docs/skipped-events.md      console     1   tests/test_skipped_events_page.py
docs/skipped-events.md      text        1   tests/test_skipped_events_page.py
docs/tables.md              sh         10   tests/test_tables_page.py
docs/tables.md              text        6  tests/test_tables_page.py
docs/tables.md              yaml        1   tests/test_tables_page.py
docs/tables.md              python      1   tests/test_tables_page.py
docs/test-files.md          yaml        1   tests/test_test_files_page.py
docs/test-files.md          console     2   tests/test_test_files_page.py
docs/test-files.md          text        2   tests/test_test_files_page.py
docs/tester.md              -           2   tests/test_page_commands.py
docs/testing.md             python      5   tests/test_testing_pages.py
docs/testing.md             console     2   tests/test_testing_pages.py
docs/testing.md             yaml        2   tests/test_testing_pages.py
docs/webhook.md             json_events 1   tests/destinations/webhook/test_webhook_page.py
docs/webhook.md             yaml        7   tests/destinations/webhook/test_webhook_page.py
docs/webhook.md             http        7   tests/destinations/webhook/test_webhook_page.py
docs/webhook.md             sh          1   tests/test_page_commands.py
examples/criteo/README.md   console     2   tests/test_page_commands.py
"""
"""Pages with the number of their blocks in a language, and the test that runs these.

Pages that are generated from examples which a test runs have any number of them, `*`.
"""

NOT_RUN = """
docs/architecture.md        -           1   a picture of the layers
docs/connection-files.md    yaml        1   the comment for editors, with a connection cut short
docs/name-clashes.md        toml        1   an entry point of a plugin that does not exist
docs/operations.md          json        3   output, whose members the tests named below it check
"""
"""The same with the reason why nothing runs them."""


def rows(table: str) -> Iterator[tuple[str, str, str, str]]:
    for line in table.strip().splitlines():
        page, language, number, rest = line.split(maxsplit=3)
        yield page, language, number, rest


def test_every_block_is_in_one_of_the_tables() -> None:
    """A new block is run by a test first, and counted here then."""
    found = Counter(
        (page.relative_to(ROOT).as_posix(), block.language.replace(" ", "_") or "-")
        for page in PAGES
        for block in blocks_in(page.read_text(encoding="utf-8"))
    )
    told: Counter[tuple[str, str]] = Counter()
    for page, language, number, _ in [*rows(RUN), *rows(NOT_RUN)]:
        told[page, language] += found[page, language] if number == "*" else int(number)
    assert told == found


@pytest.mark.parametrize(("page", "test"), sorted({(one[0], one[3]) for one in rows(RUN)}))
def test_the_test_of_a_block_is_about_its_page(page: str, test: str) -> None:
    """Generated pages are made of examples that the tests of their package run."""
    source = (ROOT / test).read_text(encoding="utf-8")
    generated = {"docs/hooks.md", "docs/mappings.md", "docs/normalize.md"}
    assert Path(page).name in source or page in generated


PLACEHOLDER = re.compile(r"[\[\]]|\.\.\.")
WORD = re.compile(r"[a-z][a-z-]*")


def mentioned(text: str) -> Iterator[str]:
    """Yield what follows `actions` in the code in a text."""
    yield from (one.replace("\n", " ") for one in re.findall(r"`actions ([^`]+)`", text))


def texts() -> Iterator[tuple[str, str]]:
    """Yield commands that pages, messages and docstrings mention, with where they do."""
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        for command in mentioned(page.read_text(encoding="utf-8")):
            yield page.name, command
        for block in blocks_in(page.read_text(encoding="utf-8")):
            for line in re.findall(r"^(?:\$ )?actions (.*(?:\\\n.*)*)", block.text, re.MULTILINE):
                yield page.name, line.replace("\\\n", " ")
    for package in ("framework", "destinations"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from ((file.name, command) for command in mentioned(node.value))


MENTIONED = sorted(set(texts()))


def fault(line: str) -> str:
    """Return what is wrong with a mentioned command; nothing if it exists with its options."""
    if "| actions " in line:
        return "; ".join(filter(None, map(fault, line.split("| actions "))))
    command: click.Command = actions
    words = PLACEHOLDER.sub(" ", line).split()
    while words and isinstance(command, click.Group):
        if words[0].startswith("-") or not WORD.fullmatch(words[0]):
            break  # an option of the group, or a placeholder
        found = command.get_command(click.Context(command), words[0])
        if found is None and command.name == "sandbox":
            return ""  # of a destination that only the page has
        if found is None:
            return f"`{words[0]}` is no command"
        command, words = found, words[1:]
    known = {
        one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)
    }
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    unknown = given - known - {"--help"}
    return f"{', '.join(sorted(unknown))} of `{command.name}` do not exist" if unknown else ""


def test_every_mentioned_command_exists_with_its_options() -> None:
    assert len(MENTIONED) > 200
    found = {f"{place}: actions {line}: {fault(line)}" for place, line in MENTIONED if fault(line)}
    assert found == set()
