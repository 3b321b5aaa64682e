"""What differs between the kinds of new destinations: hooks, actions, sandbox and tests.

Texts hold places such as `%PACKAGE%`, which `filled` fills in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from framework.scaffolding import audience_kind, batch_kind, job_kind, plain_kind, resource_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationKind:
    """One kind of destination: texts of its files.

    *standard* and *names* are imported by the package, the latter from `framework`, and *own* from
    the package itself. *sender* is the function of an operation that sends. *arguments* are further
    ones of its Destination, *hooks* those that send. *state*, *answer* and *more* are parts of the
    sandbox, *kept* is the attribute that it counts, *files* are further modules by name.
    """

    first_action: str
    sender: str = "send"
    operation: str
    action: str
    hooks: str
    tests: str
    standard: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    own: str = ""
    arguments: str = ""
    kept: str = "accepted"
    state: str = ""
    answer: str = ""
    more: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def filled(text: str, **values: str) -> str:
    """Return a text with its places filled in."""
    for name, value in values.items():
        text = text.replace(f"%{name}%", value)
    return text


KINDS: Final[Mapping[str, DestinationKind]] = MappingProxyType(
    {
        "plain": DestinationKind(
            first_action="sendEvent",
            operation=plain_kind.OPERATION,
            action=plain_kind.ACTION,
            hooks=plain_kind.HOOKS,
            tests=plain_kind.TESTS,
            state="        self.accepted: list[Any] = []\n",
            answer=plain_kind.ANSWER,
        ),
        "batch": DestinationKind(
            first_action="sendEvent",
            operation=batch_kind.OPERATION,
            action=batch_kind.ACTION,
            hooks=batch_kind.HOOKS,
            tests=batch_kind.TESTS,
            standard=("from collections.abc import Sequence",),
            names=("Result",),
            state="        self.accepted: list[Any] = []\n",
            answer=batch_kind.ANSWER,
            more=batch_kind.MORE,
        ),
        "audience": DestinationKind(
            first_action="syncAudience",
            operation=audience_kind.OPERATION,
            action=audience_kind.ACTION,
            hooks=audience_kind.HOOKS,
            tests=audience_kind.TESTS,
            standard=("from collections.abc import Sequence",),
            names=("AudienceCall", "Audiences", "IntegrationError", "Result"),
            own="from %PACKAGE%.audiences import create_audience, find_audience\n",
            arguments="        audience=Audiences(create=create_audience, get=find_audience),\n",
            kept="audiences",
            state="        self.audiences: dict[str, set[str]] = {}\n",
            answer=audience_kind.ANSWER,
            more=audience_kind.MORE,
            files={"audiences.py": audience_kind.AUDIENCES},
        ),
        "job": DestinationKind(
            first_action="uploadEvents",
            operation=job_kind.OPERATION,
            action=job_kind.ACTION,
            hooks=job_kind.HOOKS,
            tests=job_kind.TESTS,
            standard=("from collections.abc import Sequence",),
            names=("Accepted",),
            sender="submit",
            kept="jobs",
            state=job_kind.STATE,
            answer=job_kind.ANSWER,
            more=job_kind.MORE,
        ),
        "other": DestinationKind(
            first_action="writeEvent",
            operation=resource_kind.OPERATION,
            action=resource_kind.ACTION,
            hooks=resource_kind.HOOKS,
            tests=resource_kind.TESTS,
        ),
    }
)
"""The kinds of destinations by name."""
