"""Options for the simulated Criteo, one for each undocumented behavior of the real API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from framework import ConfigurationError

MEGABYTE: Final = 1_000_000
_VERSION = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteoOptions:
    """One option for each undocumented behavior; defaults are the most likely. Times in seconds.

    *refused_items* is how a bulk request reports rejected items; `status-400` rejects the whole
    request. *search_order* `changing` reverses the order with every search. *deprecated_versions*
    maps a version to the date of its `Sunset` header. *match_rate* is the share of identifiers,
    from 0 to 1, that the simulated identity graph matches; *match_rate_scale* says whether
    statistics report it from 0 to 1 or from 0 to 100. Sizes are in bytes, *rate_limit* in requests
    per *rate_seconds*. Raises ConfigurationError that lists every invalid option.
    """

    bad_credentials: Literal[401, 400] = 401
    token_lifetime: int = 900
    refresh_field: Literal["null", "absent"] = "null"
    refused_items: Literal["errors", "warnings", "status-400"] = "errors"
    search_without_consent: Literal["forbidden", "empty"] = "forbidden"
    search_order: Literal["ascending", "descending", "changing"] = "ascending"
    unknown_segment: Literal[404, 403] = 404
    foreign_segment: Literal[403, 404] = 403
    read_only_list: Literal[403, 400] = 403
    trace_field: Literal["traceId", "traceIdentifier", "both"] = "traceId"
    rate_limit: int = 250
    rate_seconds: int = 60
    rate_window: Literal["fixed", "sliding"] = "fixed"
    rate_counts_tokens: Literal["no", "yes"] = "no"
    rate_headers: Literal["always", "when-limited"] = "always"
    rate_body: Literal["problem", "empty"] = "problem"
    max_identifiers: int = 50_000
    too_many_identifiers: Literal["refused", "accepted"] = "refused"
    empty_identifiers: Literal["refused", "accepted"] = "refused"
    body_limit: int | None = 10 * MEGABYTE
    invalid_sample: int = 10
    duplicates: Literal["each", "once"] = "each"
    statistics_delay: int = 0
    match_rate: float = 0.5
    match_rate_scale: Literal["share", "percent"] = "share"
    name_comparison: Literal["exact", "ignore-case"] = "exact"
    max_name: int = 255
    gone_versions: frozenset[str] = frozenset()
    deprecated_versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise ConfigurationError("\n".join(problems), problems)


def _problems(options: CriteoOptions) -> list[str]:
    found = []
    for name, choices in _CHOICES.items():
        if getattr(options, name) not in choices:
            known = ", ".join(map(str, choices))
            found.append(f"Option `{name}` must be one of {known}, got {getattr(options, name)!r}.")
    for name in _COUNTS:
        value = getattr(options, name)
        least = 1 if name == "rate_seconds" else 0
        if value is not None and value < least:
            found.append(f"Option `{name}` must be at least {least}, got {value}.")
    if not 0 <= options.match_rate <= 1:
        found.append(f"Option `match_rate` must be between 0 and 1, got {options.match_rate}.")
    found += [
        f"Option `{name}` must name versions like 2026-07, got {version!r}."
        for name in ("gone_versions", "deprecated_versions")
        for version in sorted(getattr(options, name))
        if not _VERSION.match(version)
    ]
    return found


_HINTS: dict[str, Any] = get_type_hints(CriteoOptions)
_CHOICES = {name: get_args(hint) for name, hint in _HINTS.items() if get_origin(hint) is Literal}
_COUNTS = [name for name, hint in _HINTS.items() if hint in {int, int | None}]
