"""What exports of a host's configuration hold, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from framework.paths import JSON

NoteKind: TypeAlias = Literal["left out", "changed", "disabled", "to check"]
"""What a note is about: something not taken over, taken over differently, switched off, or open."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person must know about what was taken over.

    *where* names the part: a setting, a subscription or a filter. *text* is a sentence without
    secrets.
    """

    kind: NoteKind
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class ExportedDestination:
    """A destination of a workspace; *catalogue_id* names its kind, *slug* too where it is known."""

    id: str
    name: str
    enabled: bool
    settings: Mapping[str, JSON] = field(repr=False)
    source: str
    slug: str = ""
    catalogue_id: str = ""


@dataclass(frozen=True, slots=True)
class ExportedSubscription:
    """A subscription of the destination with *destination_id*; *rows* come from a warehouse."""

    destination_id: str
    name: str
    enabled: bool
    mapping: Mapping[str, JSON]
    source: str
    action_slug: str = ""
    action_id: str = ""
    trigger: str = ""
    rows: bool = False
    schedule: bool = False
    id: str = ""


@dataclass(frozen=True, slots=True)
class ExportedFilter:
    """A filter of the destination with *destination_id*, as a JSON *document*."""

    destination_id: str
    document: Mapping[str, JSON]
    source: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueAction:
    """An action in a catalogue; *fields* are those of a manifest."""

    id: str
    slug: str
    name: str
    description: str = ""
    trigger: str = ""
    hidden: bool = False
    fields: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A kind of destination in a host's catalogue; *options* are its settings, as in a manifest."""

    id: str
    slug: str
    name: str
    description: str = ""
    actions: tuple[CatalogueAction, ...] = ()
    options: Mapping[str, JSON] = field(default_factory=dict)
    presets: tuple[Mapping[str, JSON], ...] = ()


@dataclass(frozen=True, slots=True)
class TerraformResource:
    """A resource or data source; *written* in configuration, where values may be expressions."""

    kind: str
    name: str
    values: Mapping[str, Any] = field(repr=False)
    written: bool
    source: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an answer: what it lists, of which destinations, and the cursors of both pages."""

    part: str
    destination_ids: frozenset[str]
    current: str
    next: str
    source: str


@dataclass(slots=True)
class Export:
    """Everything that several files hold; *notes* are about files and what is in none of these.

    *manifests* are `metadata.json` documents by slug, *documents* the number of documents that
    were read, *drafts* of those that are meant to be a `metadata.json` and lack something.
    *resources* are Terraform's, until they are resolved. *pages* are those of lists, *unread* says
    that something could not be read, *incomplete* are the IDs of destinations with filters missing.
    """

    destinations: list[ExportedDestination] = field(default_factory=list)
    subscriptions: list[ExportedSubscription] = field(default_factory=list)
    filters: list[ExportedFilter] = field(default_factory=list)
    catalogue: list[CatalogueEntry] = field(default_factory=list)
    manifests: dict[str, JSON] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    resources: list[TerraformResource] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    documents: int = 0
    drafts: int = 0
    unread: bool = False
    incomplete: set[str] = field(default_factory=set)

    def note(self, kind: NoteKind, where: str, text: str) -> None:
        """Add a note."""
        self.notes.append(Note(kind, where, text))

    def cannot_read(self, where: str, text: str) -> None:
        """Note something that could not be read, which may have held filters."""
        self.unread = True
        self.note("left out", where, text)

    def missing_pages(self) -> list[Page]:
        """Return the pages whose next page is not in the export."""
        given = {(one.part, one.destination_ids, one.current) for one in self.pages}
        nothing: frozenset[str] = frozenset()
        return [
            one
            for one in self.pages
            if one.next
            and (one.part, one.destination_ids, one.next) not in given
            and (one.part, nothing, one.next) not in given
        ]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make a connection of."""
        return not (self.destinations or self.subscriptions or self.resources)


class HostExpression(str):
    """A text that only the host's tool can compute, such as `${var.token}` of Terraform."""

    __slots__ = ()


def text_of(value: Any) -> str:
    """Return a text, or nothing for any other value."""
    return value if isinstance(value, str) else ""


def switch_of(value: Any) -> bool | None:
    """Return a value of `enabled`, which is on if it is missing; None if it is not known.

    Terraform takes the texts `true` and `false`, too.
    """
    if value is None or isinstance(value, bool):
        return value is not False
    return {"true": True, "false": False}.get(text_of(value))


def object_of(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, an object as a list of it, and nothing for other values."""
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]
