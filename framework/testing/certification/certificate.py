"""The report of a certification: checks with their findings, a score, text and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

CheckVerdict: TypeAlias = Literal["passed", "warned", "failed", "not applicable", "not run"]
"""What became of a check."""

_SIGNS: Final = {"passed": "ok", "warned": "warn", "failed": "FAIL"}


@dataclass(frozen=True, slots=True)
class CertificateFinding:
    """One thing that a check found: *where* in the destination, and what to change.

    A *warning* does not keep a destination from being certified.
    """

    where: str
    message: str
    warning: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        severity = "warning" if self.warning else "failure"
        return {"severity": severity, "where": self.where, "message": self.message}


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """One check: its *name*, what it *promises*, its verdict and findings; *seconds* it took."""

    name: str
    promises: str
    verdict: CheckVerdict
    findings: tuple[CertificateFinding, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return {
            "name": self.name,
            "promises": self.promises,
            "verdict": self.verdict,
            "findings": [one.to_json() for one in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Certificate:
    """The result of a certification: one entry for each check."""

    destination: str
    checks: tuple[CertificateCheck, ...]

    @property
    def certified(self) -> bool:
        """Whether no check failed, and every applicable one was run."""
        return not any(check.verdict in {"failed", "not run"} for check in self.checks)

    @property
    def findings(self) -> Iterator[CertificateFinding]:
        """The findings of all checks."""
        for check in self.checks:
            yield from check.findings

    @property
    def score(self) -> tuple[int, int]:
        """The number of checks without a failure, and of all that apply."""
        applicable = [check for check in self.checks if check.verdict != "not applicable"]
        good = [check for check in applicable if check.verdict in {"passed", "warned"}]
        return len(good), len(applicable)

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as a JSON object."""
        good, applicable = self.score
        return {
            "destination": self.destination,
            "certified": self.certified,
            "score": {"passed": good, "of": applicable},
            "checks": [check.to_json() for check in self.checks],
        }

    def lines(self) -> Iterator[str]:
        """Yield the certificate as text for people."""
        for check in self.checks:
            sign = _SIGNS.get(check.verdict, "-")
            note = f" ({check.verdict})" if sign == "-" else ""
            yield f"{sign:<5}{check.name}: {check.promises}{note}"
            yield from _shown(check.findings)
        good, applicable = self.score
        verdict = "certified" if self.certified else "not certified"
        yield f"{self.destination}: {verdict}, {good} of {applicable} checks passed"


def _shown(findings: Iterable[CertificateFinding]) -> Iterator[str]:
    for finding in findings:
        kind = "warning: " if finding.warning else ""
        yield f"       {kind}{finding.where}: {finding.message}"
