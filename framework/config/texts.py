"""The text of a file that somebody wrote, or the problem that it cannot be read."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from framework.config.diagnostics import DiagnosticList, Spot
from framework.storage import reason_of


def text_of(path: str | Path, max_bytes: int) -> tuple[str | None, DiagnosticList]:
    """Return the text of a file in UTF-8, or None and the problem."""
    unread = DiagnosticList(str(path))
    try:
        with Path(path).open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "Invalid name."
        unread.error("AD100", Spot(), f"The file cannot be read: {reason}")
        return None, unread
    if len(content) > max_bytes:
        return None, too_large(unread, max_bytes)
    try:
        return content.decode("utf-8-sig"), unread
    except UnicodeDecodeError as error:
        before = content[: error.start]
        spot = Spot(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        unread.error("AD101", spot, "The text is not UTF-8.", _how_to_convert(content))
        return None, unread


def too_large(findings: DiagnosticList, max_bytes: int) -> DiagnosticList:
    """Return *findings* with the one that a document exceeds the maximum."""
    findings.error("AD103", Spot(), f"The document is larger than {max_bytes // 1024:,} KiB.")
    return findings


def _how_to_convert(content: bytes) -> str:
    """Return how a file in another encoding becomes UTF-8."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "It is UTF-16: convert it, for example with `iconv -f UTF-16 -t UTF-8`."
    return "Save it as UTF-8."
