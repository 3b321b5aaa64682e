"""The page of delivery options lists every option, and its example is a connection file."""

from __future__ import annotations

import re
from pathlib import Path

from framework.config import parse_connection
from framework.delivery_options import OPTIONS
from tests.framework.delivery.talker import PEM

PAGE = (Path(__file__).parent.parent / "docs" / "delivery-options.md").read_text(encoding="utf-8")


def test_every_option_has_a_row() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| `(--[a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == [(one.name, f"--{one.name.replace('_', '-')}") for one in OPTIONS]


def test_the_example_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "company.pem").write_bytes(PEM.read_bytes())
    names = ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET")
    environment = {**dict.fromkeys(names, "x"), "PROXY_URL": "http://me:secret@proxy.test:3128"}
    reading = parse_connection(example, "c.yaml", tmp_path, environment)
    assert reading.connection is not None, reading.diagnostics
    assert reading.diagnostics == ()
