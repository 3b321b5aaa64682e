"""The page of normal forms: rules from the profiles, and what other kits made of the same texts.

`docs/normalize.json` holds what the kits returned when they were run; ours is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from framework import normalize
from framework.normalize import PROFILES, Profile, Rule, Unusable

ROWS = Path(__file__).parent.parent / "docs" / "normalize.json"

HEAD = """\
# Normal forms and hashes

Partners match people by hashes of addresses, phone numbers and names.
A hash matches only if both sides write the text alike before hashing it, and every partner has \
rules of its own, so there is no default normal form.
`framework.normalize` has a profile for each partner that publishes rules, with one rule for \
each field that it documents:

```python
from framework.normalize import META, digest

META.email("  John_Smith@gmail.com ")  # "john_smith@gmail.com"
META.email("John Smith")  # None
META.email.reason("John Smith")  # "The email address is not of the form name@domain."
META.email.sent("John_Smith@gmail.com")  # its SHA-256 hash
digest("john_smith@gmail.com")  # the same, of a text in any form
```

- A rule returns the normal form, or None if the text is empty or cannot be used. No rule raises \
an exception, whatever the text.
- `sent` returns what the partner gets: the hash of the normal form, or the form itself where \
the partner takes it plain. A text that is a SHA-256 hash already is returned in lower case.
- `reason` returns why a text cannot be used, without the text.
- `digest(value, "sha256", already="keep")` hashes by `md5`, `sha1`, `sha256` or `sha512` without \
normalizing. Empty texts stay empty; hashes by the same method are kept, refused (`"refuse"`) or \
hashed again (`"hash"`).
- `Field(hashed="sha256")` applies `digest` to a field of a payload ([fields.md](fields.md)); \
normalize before, in the mapping or by a rule in `perform`.

A rule does not guess:

- A phone number needs its country code, with `+` or `00`: a national number may belong to \
people of several countries. A zero that is dialed only within a country, such as in +44 (0)20, \
is removed.
- Numbers with letters are refused, also where the partner says to remove letters, because an \
extension would become part of the number.
- A birthday that ends with the year is refused if day and month could be exchanged.
- Countries are codes of two letters; names are refused.

## Rules
"""

KITS = """\

## What other kits do

The official kits of partners and the destinations of Segment's library were run over the same \
texts.
Each row is a text of which at least one of them makes another form than the rule above; \
*error* is an exception, *nothing* an empty result.
The table covers what was tried; a kit that is not named in a row was not run with its text.
"""


def page() -> str:
    """Return the page."""
    document = json.loads(ROWS.read_text(encoding="utf-8"))
    versions = [f"- `{kit}` {version}" for kit, version in document["versions"].items()]
    return "\n".join(
        [HEAD, *_profiles(), KITS, *versions, "", *_table(document["rows"])],
    )


def ours(row: Mapping[str, Any]) -> str | Unusable:
    """Return what the profile of a row makes of its text, or why nothing."""
    rule: Rule = getattr(getattr(normalize, row["profile"]), row["field"])
    return rule.read(row["text"])


def _profiles() -> Iterator[str]:
    for profile in PROFILES:
        yield f"### {profile.name}: `{_constant(profile)}`\n"
        yield "| Field | Normal form | Sent as |"
        yield "| --- | --- | --- |"
        citations: dict[str, list[str]] = {}
        for field, rule in profile:
            yield f"| `{field}` | {_steps(rule)} | {_sent(rule)} |"
            cited = f"{rule.citation.text} ({rule.citation.date})"
            citations.setdefault(cited, []).append(f"`{field}`")
        yield ""
        one = len(citations) == 1
        for cited, fields in citations.items():
            yield f"Source: {cited}." if one else f"Source of {', '.join(fields)}: {cited}.  "
        yield ""


def _constant(profile: Profile) -> str:
    return next(name for name in normalize.__all__ if getattr(normalize, name) is profile)


def _steps(rule: Rule) -> str:
    words = "; ".join(step.words for step in rule.steps)
    return f"{words} ({rule.note})" if rule.note else words


def _sent(rule: Rule) -> str:
    return {"hex": "SHA-256", "base64": "SHA-256 in Base64", "plain": "plain"}[rule.sent_as]


def _table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "| Rule | Text | Normal form | Kits |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        found = ours(row)
        form = f"refused: {found.reason}" if isinstance(found, Unusable) else f"`{found}`"
        results: dict[str, list[str]] = {}
        for kit, result in row["kits"].items():
            shown = f"*{result}*" if result in {"error", "nothing"} else f"`{result}`"
            results.setdefault(shown, []).append(kit)
        kits = "; ".join(f"{shown} ({', '.join(names)})" for shown, names in results.items())
        text = json.dumps(row["text"], ensure_ascii=False)[1:-1]
        yield f"| `{row['profile']}.{row['field']}` | `{text}` | {form} | {kits} |"
    yield ""
