"""What destinations count of their own work, bounded in names and labels."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Labels with their values, sorted."""

MetricKey: TypeAlias = tuple[str, Labels]
"""The name of a count and its labels."""

MAX_NAMES: Final = 50
"""Different names; what is counted under further ones is counted as OTHER_NAME."""

MAX_SERIES: Final = 100
"""Different labels of a name; further ones are counted with OTHER in the place of each value."""

MAX_LABELS: Final = 5
"""Labels of a name."""

OTHER: Final = "OTHER"
OTHER_NAME: Final = "other"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VALUE: Final = re.compile(r"[\w.:/-]{1,64}", re.ASCII)
_RESERVED: Final = frozenset({"connection"})


class PluginMetrics:
    """Counts of a destination, for one connection; safe under threads.

    They are shown by the relay's `/metrics`, the summary of a run, and the harness. *clean* takes
    secrets and personal data out of texts: a value that it changes is counted as OTHER.
    """

    def __init__(self, clean: Callable[[str], str] = str) -> None:
        self._clean = clean
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[Labels]] = {}

    def count(self, name: str, number: int = 1, /, **labels: str | bool | int) -> None:
        """Add *number* to the count of *name* with *labels*.

        Names of counts and labels have lower-case letters, digits and `_`. Values of labels are
        few and short, such as a kind or a code: one with other characters than letters, digits and
        `_.:/-`, or with more than 64, is counted as OTHER. Raises ValueError for a name, a label or
        a number that cannot be counted, and for other labels than the name had before.
        """
        if problem := _problem(name, number, labels):
            raise ValueError(problem)
        key = tuple(sorted((label, self._value(value)) for label, value in labels.items()))
        with self._lock:
            if name not in self._counts and len(self._counts) >= MAX_NAMES:
                name, key = OTHER_NAME, ()
            series = self._counts.setdefault(name, Counter())
            known = next(iter(series), key)
            if [label for label, _ in known] != [label for label, _ in key]:
                shown = ", ".join(label for label, _ in known) or "none"
                raise ValueError(f"The labels of the metric `{name}` are always these: {shown}.")
            if key not in series and len(series) >= MAX_SERIES:
                key = tuple((label, OTHER) for label, _ in key)
            series[key] += number

    def counts(self) -> Counter[MetricKey]:
        """Return the counts so far."""
        with self._lock:
            found: Counter[MetricKey] = Counter()
            for name, series in self._counts.items():
                found.update({(name, labels): number for labels, number in series.items()})
            return found

    def _value(self, value: str | bool | int) -> str:  # noqa: FBT001 - the value of a label
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text if _VALUE.fullmatch(text) and self._clean(text) == text else OTHER


def _problem(name: str, number: int, labels: dict[str, str | bool | int]) -> str:
    """Return why something cannot be counted; nothing if it can."""
    wrong = [one for one in (name, *labels) if not _NAME.fullmatch(one) or one in _RESERVED]
    if wrong:
        return f"`{wrong[0]}` cannot be the name of a metric or label."
    if len(labels) > MAX_LABELS:
        return f"The metric `{name}` has more than {MAX_LABELS} labels."
    if not isinstance(number, int) or number < 0:
        return f"The metric `{name}` can be increased by an integer from 0 on."
    return ""


def metric_text(key: MetricKey) -> str:
    """Return a count's name with its labels, as Prometheus writes them."""
    name, labels = key
    shown = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{shown}}}" if shown else name
