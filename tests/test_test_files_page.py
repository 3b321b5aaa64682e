"""The examples of docs/test-files.md are test files that do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from framework.cli.app import actions
from framework.schemas.case_file_schema import case_file_schema

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "test-files.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
(TESTS,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PASSED, DIFFERENCE = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
TEST = Path("criteo.test.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (connection, *_) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("criteo.connection.yaml").write_text(_named(connection))
    TEST.write_text(TESTS)
    for key in ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET"):
        monkeypatch.delenv(key, raising=False)


def _named(connection: str) -> str:
    """Return the README's connection with the names by which the page calls its subscriptions."""
    named: str = re.sub(r"partnerAction: (\w+)", r"partnerAction: \1\n    name: \1", connection)
    return named


def test_the_example_passes_and_its_schema_accepts_it() -> None:
    result = CliRunner().invoke(actions, ["test"])
    assert (result.stdout, result.exit_code) == (PASSED, 0)
    jsonschema.Draft202012Validator(case_file_schema()).validate(yaml.safe_load(TESTS))
    checked = CliRunner().invoke(actions, ["validate", str(TEST)])
    assert checked.exit_code == 0, checked.output


def test_a_difference_looks_as_shown_and_is_updated_in_the_same_form() -> None:
    TEST.write_text(TESTS.replace("email: ada@example.com}\n", "email: bob@example.com}\n"))
    failed = CliRunner().invoke(actions, ["test"])
    assert failed.exit_code == 1
    assert DIFFERENCE in failed.stdout
    assert CliRunner().invoke(actions, ["test", "--update"]).exit_code == 0
    updated = yaml.safe_load(TEST.read_text())
    assert updated["tests"][0]["expect"] == yaml.safe_load(TESTS)["tests"][0]["expect"]


def test_generated_tests_pass_and_bite() -> None:
    """Without the partner's access, two for each subscription; any change of a mapping fails."""
    refused = CliRunner().invoke(actions, ["test", "--generate", "criteo.connection.yaml"])
    assert refused.exit_code == 2
    assert "`criteo.test.yaml` exists." in refused.stderr
    TEST.unlink()
    written = CliRunner().invoke(actions, ["test", "--generate", "criteo.connection.yaml"])
    assert (written.stdout, written.exit_code) == ("Wrote criteo.test.yaml\n", 0), written.output
    made = yaml.safe_load(TEST.read_text())
    assert [test["name"] for test in made["tests"]] == [
        f"{name}: {which}"
        for name in ("addUserToAudience", "removeUserFromAudience")
        for which in ("all fields", "required fields only")
    ]
    assert all(len(test["calls"]) > 0 for test in made["tests"])
    jsonschema.Draft202012Validator(case_file_schema()).validate(made)
    passed = CliRunner().invoke(actions, ["test"])
    assert passed.stdout.splitlines()[-1] == "4 passed, 0 failed"
    path = Path("criteo.connection.yaml")
    path.write_text(
        path.read_text().replace(
            "    name: addUserToAudience",
            "    name: addUserToAudience\n    mapping: {hash_emails: true}",
        )
    )
    changed = CliRunner().invoke(actions, ["test"])
    assert changed.exit_code == 1
    assert "payload.hash_emails: expected" in changed.stdout


def test_generating_takes_nothing_else() -> None:
    options = ["test", "--update", "--generate", "criteo.connection.yaml"]
    result = CliRunner().invoke(actions, options)
    assert result.exit_code == 2
    assert "--generate writes a file of tests; leave out the rest." in result.stderr


def test_tests_are_generated_without_the_environment_of_the_connection() -> None:
    """Variables have values that settings accept, such as an address."""
    Path("hook.connection.yaml").write_text(
        "destination: webhook\n"
        'settings: {url: "${env:HOOK_URL}", sharedSecret: "${env:HOOK_SECRET}"}\n'
        'subscriptions: [{partnerAction: send, subscribe: type = "track"}]\n'
    )
    written = CliRunner().invoke(actions, ["test", "--generate", "hook.connection.yaml"])
    assert written.exit_code == 0, written.output
    text = Path("hook.test.yaml").read_text()
    assert "&" not in text
    made = yaml.safe_load(text)
    assert made["environment"]["HOOK_URL"].startswith("https://")
    assert made["environment"]["HOOK_SECRET"] == "placeholder"
    passed = CliRunner().invoke(actions, ["test", "hook.test.yaml"])
    assert passed.exit_code == 0, passed.output
