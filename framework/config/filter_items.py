"""The destination filters of a connection file, with the position of every problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import DocumentNode
from framework.definition import MAX_FILTERS, DestinationFilter, FilterProblem, read_filter

_CODES: Mapping[str, str] = {"kind": "AD201", "missing": "AD202", "unknown": "AD203"}
_LONG_KEY = 50


@dataclass(frozen=True, slots=True)
class FilterItem:
    """A filter and its *node* in the document; *index* is its place in the list."""

    filter: DestinationFilter
    index: int
    node: DocumentNode = field(repr=False)

    def spot(self, *path: str | int) -> Spot:
        """Return the position of *path* inside the filter, as far as it exists."""
        return self.node.at(*path).spot


def filter_items(
    listed: DocumentNode | None, warn: Callable[[DocumentNode], None], findings: DiagnosticList
) -> Iterator[FilterItem]:
    """Yield the valid filters of a list, and note the problems of the others.

    *warn* notes references, which are not replaced in filters.
    """
    nodes = listed.value if listed and isinstance(listed.value, list) else []
    if len(nodes) > MAX_FILTERS:
        text = f"A connection has at most {MAX_FILTERS} filters, got {len(nodes)}."
        findings.error("AD209", nodes[MAX_FILTERS].spot, text)
    for index, node in enumerate(nodes[:MAX_FILTERS]):
        warn(node)
        found, problems = read_filter(node.plain(), f"filters[{index}]")
        for problem in problems:
            _report(problem, node, findings)
        if found:
            yield FilterItem(found, index, node)


def _report(problem: FilterProblem, node: DocumentNode, findings: DiagnosticList) -> None:
    spot, hint = node.at(*problem.place).spot, problem.hint
    if problem.fault == "unknown":
        spot = node.at(*problem.place[:-1]).key(str(problem.place[-1]))
        import difflib  # noqa: PLC0415 - only where something is wrong

        near = difflib.get_close_matches(str(problem.place[-1])[:_LONG_KEY], problem.known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Known keys: {', '.join(problem.known)}."
    findings.error(_CODES.get(problem.fault, "AD209"), spot, problem.message, hint)
