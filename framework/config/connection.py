"""Connection files: a destination, its settings and its subscriptions.

Subscriptions are accepted with the keys of connection files and with those of Segment's public
configuration API, which names the trigger `trigger`, the action `actionSlug` and the mapping
`settings`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from framework.config.diagnostics import Diagnostic, DiagnosticList, Spot, errors, refuse
from framework.config.nodes import DocumentNode, DocumentScalar, Unreadable
from framework.config.object_parts import (
    BOOLEAN,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    check_keys,
    is_mistyped,
    kind_hint,
    of_right_kind,
    require,
    value_of,
)
from framework.config.references import References
from framework.config.texts import text_of, too_large
from framework.definition import (
    MATCHING_KEY,
    MAX_SUBSCRIPTIONS,
    SYNC_MODE_KEY,
    DestinationFilter,
    Subscription,
    read_id,
    read_version,
)
from framework.delivery_options import (
    OPTIONS,
    DeliveryOption,
    DeliveryOptions,
    UnusableOptionError,
    has_credentials,
)

if TYPE_CHECKING:
    from framework.config.filter_items import FilterItem

MAX_BYTES = 1024 * 1024
"""Bytes of the largest connection file."""

_FILE_KEYS = {
    "destination": STRING,
    "name": STRING,
    "enabled": BOOLEAN,
    "settings": OBJECT,
    "audiences": OBJECT,
    "features": OBJECT,
    "consent": OBJECT,
    "delivery": OBJECT,
    "filters": LIST,
    "subscriptions": LIST,
}
_CONSENT_KEYS = {"categories": LIST}
SPELLINGS = {
    "name": ("name",),
    "action": ("partnerAction", "actionSlug"),
    "trigger": ("subscribe", "trigger"),
    "mapping": ("mapping", "settings"),
    "enabled": ("enabled",),
    "sync_mode": ("syncMode",),
    "matching_key": ("matchingKey",),
    "mapping_version": ("mappingVersion",),
}
_OF_MAPPING = {"sync_mode": SYNC_MODE_KEY, "matching_key": MATCHING_KEY}
_BESIDE: dict[Any, str] = {key: part for part, key in _OF_MAPPING.items()}
_PART_KINDS = {
    "name": STRING,
    "action": STRING,
    "trigger": STRING,
    "mapping": OBJECT,
    "enabled": BOOLEAN,
    "sync_mode": STRING,
    "matching_key": STRING,
    "mapping_version": NUMBER,
}
_SUBSCRIPTION_KEYS = [key for keys in SPELLINGS.values() for key in keys]
_MEANT = {part: keys[0] for part, keys in SPELLINGS.items() if part not in keys}


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    """A subscription and its position: *node* of the whole, *parts* by attribute name.

    *refused* are the parts whose value has the wrong kind; the subscription has their defaults.
    """

    subscription: Subscription
    node: DocumentNode = field(repr=False)
    parts: Mapping[str, DocumentNode] = field(repr=False)
    refused: frozenset[str] = frozenset()

    def spot(self, part: str, *path: str | int) -> Spot:
        """Return the position of *part*, or of *path* inside it; else of the subscription."""
        own = _BESIDE.get(path[0]) if part == "mapping" and path else None
        if own and own in self.parts:
            return self.parts[own].spot
        if part not in self.parts:
            return self.node.spot
        return self.parts[part].at(*path).spot


class ConnectionArguments(TypedDict):
    """What a file says besides settings and subscriptions, as arguments of `connect`."""

    filters: tuple[DestinationFilter, ...]
    consent: tuple[str, ...]
    audience_settings: Mapping[str, Mapping[str, Any]]
    features: Mapping[str, DocumentScalar]


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """A usable connection file; names are checked against a destination elsewhere.

    *settings* has its references replaced, so it holds secrets and is left out of `repr`.
    *node* is the whole document, for later findings. *consent* names the consent categories that
    events need, *delivery* says how they are delivered, *filter_items* what is filtered.
    *audiences* holds the settings of audiences by their keys, with references replaced, *features*
    the values of feature flags.
    """

    file: str
    destination: str
    name: str
    enabled: bool
    settings: Mapping[str, Any] = field(repr=False)
    items: tuple[SubscriptionItem, ...]
    node: DocumentNode = field(repr=False)
    consent: tuple[str, ...] = ()
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)
    filter_items: tuple[FilterItem, ...] = ()
    audiences: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    features: Mapping[str, DocumentScalar] = field(default_factory=dict)

    @property
    def filters(self) -> tuple[DestinationFilter, ...]:
        """The destination filters in the order of the file."""
        return tuple(item.filter for item in self.filter_items)

    @property
    def arguments(self) -> ConnectionArguments:
        """The arguments that every connection of this file is opened with."""
        return {
            "filters": self.filters,
            "consent": self.consent,
            "audience_settings": self.audiences,
            "features": self.features,
        }

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions in the order of the file."""
        return tuple(item.subscription for item in self.items)


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a connection file; *connection* is None if there are errors.

    *findings* also collects the findings of later checks; *diagnostics* lists all of them by
    position. *draft* holds the readable parts of the connection, for checks in spite of errors.
    """

    connection: ConnectionFile | None
    findings: DiagnosticList = field(repr=False)
    draft: ConnectionFile | None = field(default=None, repr=False)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings, in the order of the document."""
        return self.findings.all


def load_connection(path: str | Path) -> ConnectionFile:
    """Read a connection file; raises ConfigurationError with every problem."""
    reading = read_connection(path)
    if reading.connection is None:
        raise refuse(str(path), reading.diagnostics)
    return reading.connection


def read_connection(path: str | Path, environment: Mapping[str, str] = os.environ) -> Reading:
    """Read a connection file; problems are part of the result, not raised."""
    text, findings = text_of(path, MAX_BYTES)
    if text is None:
        return Reading(None, findings)
    return parse_connection(text, str(path), Path(path).parent, environment)


def read_document(path: Path) -> tuple[str, DocumentNode | None, DiagnosticList]:
    """Return the text of a YAML or JSON file, its value, and the findings so far."""
    text, findings = text_of(path, MAX_BYTES)
    if text is None:
        return "", None, findings
    findings = DiagnosticList(str(path), text)
    try:
        return text, _read(text, str(path), findings), findings
    except Unreadable:
        return text, None, findings


def parse_connection(
    text: str, file: str, folder: Path, environment: Mapping[str, str] = os.environ
) -> Reading:
    """Read the *text* of *file*; paths in `${file:...}` are relative to *folder*.

    The format is JSON if the name ends in `.json` or the text begins with `{`, otherwise YAML.
    """
    if len(text) > MAX_BYTES:
        return Reading(None, too_large(DiagnosticList(file), MAX_BYTES))
    findings = DiagnosticList(file, text)
    references = References(environment, folder, findings)
    try:
        root = _read(text, file, findings)
    except Unreadable:
        return Reading(None, findings)
    connection = _connection(root, file, references, findings)
    return Reading(None if errors(findings.all) else connection, findings, connection)


def _read(text: str, file: str, findings: DiagnosticList) -> DocumentNode:
    # PyYAML is heavy, so its readers are imported at first use.
    from framework.config.jsontext import read_json  # noqa: PLC0415
    from framework.config.yamltext import read_yaml  # noqa: PLC0415

    is_json = file.endswith(".json") or text.lstrip().startswith("{")
    return read_json(text, findings) if is_json else read_yaml(text, findings)


def _connection(
    root: DocumentNode, file: str, references: References, findings: DiagnosticList
) -> ConnectionFile | None:
    if not isinstance(root.value, dict):
        text = f"A connection file must be an object, got {root.kind}."
        findings.error("AD201", root.spot, text)
        return None
    check_keys(root, list(_FILE_KEYS), "A connection file", findings)
    given = {key: (key, node) for key, node in root.value.items() if key in _FILE_KEYS}
    parts = of_right_kind(given, _FILE_KEYS, "", findings)
    if "destination" in parts or "destination" not in given:
        require("destination", value_of(parts, "destination", ""), root.spot, "", findings)
    settings = parts.get("settings")
    enabled = value_of(parts, "enabled", True)
    if not enabled:
        text = "The connection is disabled: `actions run` refuses it."
        findings.warning("AD207", root.key("enabled"), text, "Set `enabled: true` to deliver.")
    return ConnectionFile(
        file=file,
        destination=value_of(parts, "destination", ""),
        name=value_of(parts, "name", Path(file).name.partition(".")[0]),
        enabled=enabled,
        settings=references.resolve(settings) or {} if settings else {},
        items=tuple(_items(root, parts.get("subscriptions"), references, findings)),
        node=root,
        consent=tuple(_categories(parts.get("consent"), references, findings)),
        delivery=_delivery(parts.get("delivery"), references, findings),
        filter_items=_filter_items(parts.get("filters"), references, findings),
        audiences=dict(_audiences(parts.get("audiences"), references, findings)),
        features=dict(_features(parts.get("features"), references, findings)),
    )


def _audiences(
    audiences: DocumentNode | None, references: References, findings: DiagnosticList
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the key and the settings of each audience."""
    given = {key: (key, node) for key, node in audiences.members.items()} if audiences else {}
    kinds = dict.fromkeys(given, OBJECT)
    for key, node in of_right_kind(given, kinds, "audiences.", findings).items():
        yield key, references.resolve(node) or {}


def _features(
    features: DocumentNode | None, references: References, findings: DiagnosticList
) -> Iterator[tuple[str, DocumentScalar]]:
    """Yield the name and the value of each feature flag."""
    if features is None:
        return
    references.warn_outside(features)
    for name, node in features.members.items():
        if not name.strip():
            findings.error("AD202", features.key(name), "A feature flag needs a name.")
        elif isinstance(node.value, dict | list):
            text = f"`features.{name}` must be a single value, got {node.kind}."
            hint = "Write a string, a number, `true`, `false` or null."
            findings.error("AD201", node.spot, text, hint)
        else:
            yield name, node.value


def _filter_items(
    listed: DocumentNode | None, references: References, findings: DiagnosticList
) -> tuple[FilterItem, ...]:
    if listed is None:
        return ()
    from framework.config.filter_items import filter_items  # noqa: PLC0415 - rarely used

    return tuple(filter_items(listed, references.warn_outside, findings))


def _categories(
    consent: DocumentNode | None, references: References, findings: DiagnosticList
) -> Iterator[str]:
    """Yield the valid consent categories."""
    if consent is None or not isinstance(consent.value, dict):
        return
    check_keys(consent, list(_CONSENT_KEYS), "`consent`", findings)
    references.warn_outside(consent)
    given = {key: (key, node) for key, node in consent.value.items() if key in _CONSENT_KEYS}
    listed = of_right_kind(given, _CONSENT_KEYS, "consent.", findings).get("categories")
    if ("categories" in given) == bool(listed) and (listed is None or not listed.value):
        spot = consent.key("categories") if listed else consent.spot
        hint = "Name the consent categories that events need, or leave out `consent`."
        findings.error("AD202", spot, "`consent.categories` is required.", hint)
    seen: set[str] = set()
    for index, node in enumerate(listed.value if listed and isinstance(listed.value, list) else ()):
        name = f"consent.categories[{index}]"
        if not isinstance(node.value, str) or not node.value.strip():
            got = "a blank one" if isinstance(node.value, str) else node.kind
            hint = "" if isinstance(node.value, str) else kind_hint(node, STRING)
            findings.error("AD201", node.spot, f"`{name}` must be a string, got {got}.", hint)
        elif node.value in seen:
            findings.error("AD204", node.spot, f"`{name}` repeats an earlier category.")
        else:
            seen.add(node.value)
            yield node.value


def _delivery(
    delivery: DocumentNode | None, references: References, findings: DiagnosticList
) -> DeliveryOptions:
    """Return the valid delivery options."""
    if delivery is None or not isinstance(delivery.value, dict):
        return DeliveryOptions()
    check_keys(delivery, [option.name for option in OPTIONS], "`delivery`", findings)
    values: dict[str, Any] = {}
    for option in OPTIONS:
        node = delivery.members.get(option.name)
        if node is not None and node.value is not None:
            values |= _option(option, node, references, findings)
    return DeliveryOptions(**values)


def _option(
    option: DeliveryOption, node: DocumentNode, references: References, findings: DiagnosticList
) -> dict[str, Any]:
    """Return the value of an option by its name; nothing if it is invalid."""
    name, written = f"delivery.{option.name}", node.value
    value = references.resolve(node)
    if option.kind == "proxy":
        findings.cover(node.spot.line)
        if isinstance(written, str) and has_credentials(written) and "${" not in written:
            text = f"`{name}` has credentials in plain text: anyone with the file can read them."
            hint = "Write `proxy: ${env:PROXY_URL}` and set the variable."
            findings.warning("AD305", node.spot, text, hint)
    if (node.spot.line, node.spot.column) in findings.refused:
        return {}
    try:
        return {option.name: option.read(value, references.folder)}
    except UnusableOptionError as error:
        findings.error("AD208", node.spot, f"`{name}` {error.problem}.", error.hint)
        return {}


def _items(
    root: DocumentNode,
    listed: DocumentNode | None,
    references: References,
    findings: DiagnosticList,
) -> Iterator[SubscriptionItem]:
    nodes = listed.value if listed and isinstance(listed.value, list) else []
    absent = listed is not None or "subscriptions" not in root.members
    if not nodes and absent and not is_mistyped(root, "subscriptions", list(_FILE_KEYS)):
        text = "There are no subscriptions, so nothing will be delivered."
        findings.warning("AD206", root.key("subscriptions"), text)
    if len(nodes) > MAX_SUBSCRIPTIONS:
        text = f"A connection has at most {MAX_SUBSCRIPTIONS} subscriptions, got {len(nodes)}."
        findings.error("AD205", nodes[MAX_SUBSCRIPTIONS].spot, text, "Split it into two files.")
    names: dict[str, int] = {}
    for index, node in enumerate(nodes[:MAX_SUBSCRIPTIONS]):
        item = _item(node, f"subscriptions[{index}]", references, findings)
        if item:
            if item.subscription.name and "name" not in item.refused:
                _check_name(item, names, findings)
            yield item


def _item(
    node: DocumentNode, where: str, references: References, findings: DiagnosticList
) -> SubscriptionItem | None:
    if not isinstance(node.value, dict):
        findings.error("AD201", node.spot, f"`{where}` must be an object, got {node.kind}.")
        return None
    check_keys(node, _SUBSCRIPTION_KEYS, "A subscription", findings, _MEANT)
    spelled = dict(_spelled(node, findings))
    parts = of_right_kind(spelled, _PART_KINDS, f"{where}.", findings)
    for inner in parts.values():
        references.warn_outside(inner)
    action = value_of(parts, "action", "")
    if "action" in parts or "action" not in spelled:
        require("partnerAction", action, node.spot, f"{where}.", findings)
    mapping = value_of(parts, "mapping", {})
    for part, key in _OF_MAPPING.items():
        if part in parts and key in mapping:
            text = f"`{SPELLINGS[part][0]}` and `{key}` in the mapping are the same."
            findings.error("AD204", parts[part].spot, text, "Keep one of them.")
        elif part in parts and (given := value_of(parts, part, None)) is not None:
            mapping = {**mapping, key: given}
    subscription = Subscription(
        action=action,
        trigger=value_of(parts, "trigger", None) or None,
        mapping=mapping,
        name=value_of(parts, "name", action),
        enabled=value_of(parts, "enabled", True),
        mapping_version=_version(parts.get("mapping_version"), where, findings),
        id=read_id(node.members["id"].plain()) if "id" in node.members else "",
    )
    placed = {part: inner for part, (_, inner) in spelled.items()}
    refused = frozenset(spelled.keys() - parts.keys())
    return SubscriptionItem(subscription, node, MappingProxyType(placed), refused)


def _version(node: DocumentNode | None, where: str, findings: DiagnosticList) -> int | None:
    if node is None:
        return None
    try:
        return read_version(node.plain())
    except ValueError as error:
        text = f"`{where}.mappingVersion` must be {error}, got {node.plain()}."
        findings.error("AD201", node.spot, text)
        return None


def _spelled(
    node: DocumentNode, findings: DiagnosticList
) -> Iterator[tuple[str, tuple[str, DocumentNode]]]:
    """Yield each part of a subscription, with its key and its value."""
    for part, spellings in SPELLINGS.items():
        given = [key for key in spellings if key in node.members]
        if len(given) > 1:
            text = f"`{given[0]}` and `{given[1]}` are the same key."
            findings.error("AD204", node.key(given[1]), text, "Keep one of them.")
        if given:
            yield part, (given[0], node.members[given[0]])


def _check_name(item: SubscriptionItem, names: dict[str, int], findings: DiagnosticList) -> None:
    name = item.subscription.name
    if name in names:
        text = f'The subscription in line {names[name]} is already called "{name}".'
        hint = "Give each subscription a unique `name`: results are reported by it."
        findings.error("AD204", item.spot("name"), text, hint)
    names.setdefault(name, item.node.spot.line)
