"""Edit a connection file: settings, switches, filters, subscriptions; with comments kept.

Values that are equal to what the file says stay as they are written. Settings that hold secrets
are only changed to references, such as `${env:NAME}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framework.config.connection import SPELLINGS, ConnectionFile, SubscriptionItem
from framework.config.document_edits import DocumentEdit, edited
from framework.config.filter_edits import edited_filters
from framework.config.yamltext import write_yaml
from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    Action,
    Destination,
    equal_json,
    secret_texts,
)
from framework.errors import ConfigurationError
from framework.paths import JSON

_REFERENCE = re.compile(r"\$\{(?:env|file):[^{}]+\}\Z")
_VERSION = "mappingVersion"
_OF_ROWS = {SYNC_MODE_KEY: "syncMode", MATCHING_KEY: "matchingKey"}


@dataclass(frozen=True, kw_only=True)
class ConnectionDraft:
    """What a connection shall be: settings as they are used, subscriptions in wire form.

    A mapping holds only what differs from the action's defaults.
    """

    settings: Mapping[str, JSON] = field(repr=False)
    subscriptions: Sequence[Mapping[str, Any]]
    enabled: bool = True
    consent: Sequence[str] = ()
    filters: Sequence[JSON] = ()


@dataclass(frozen=True)
class EditedConnection:
    """The *text* of an edited connection file, and the secret settings that it does not hold.

    *variables* are the environment variables that a new file refers to, by setting.
    """

    text: str = field(repr=False)
    left_out: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def edit_connection(
    text: str, file: ConnectionFile, definition: Destination, draft: ConnectionDraft
) -> EditedConnection:
    """Return the *text* of *file* with the content of *draft*.

    *file* may have outputs of hooks in its mappings that are kept elsewhere; they are not written.
    Raises ConfigurationError if filters are invalid, or if the text cannot be edited in place.
    """
    raw: dict[str, JSON] = file.node.plain()
    wanted = dict(raw)
    settings, left_out = _settings(raw.get("settings") or {}, file.settings, definition, draft)
    _put(wanted, "settings", settings, {})
    _put(wanted, "enabled", draft.enabled, True)
    if list(draft.consent) != list(file.consent):
        _put(wanted, "consent", {"categories": [*draft.consent]} if draft.consent else None, None)
    kept = _kept(file.items, draft.subscriptions)
    subscriptions: list[JSON] = [
        _new(one, definition) if at is None else _changed(one, file.items[at], definition)
        for one, at in zip(draft.subscriptions, kept, strict=True)
    ]
    _put(wanted, "subscriptions", subscriptions, [])
    filters, same = edited_filters(file.filter_items, draft.filters)
    if filters or file.filter_items:
        _put(wanted, "filters", filters or None, None)
    if wanted == raw:
        return EditedConnection(text, left_out)
    places = {"subscriptions": kept, "filters": same}
    new = edited(text, file.file, [*_edits(raw, wanted, places)])
    secrets = secret_texts(definition.settings_fields, file.settings)
    if any(one in new and one not in text for one in secrets if len(one) > 3):
        raise ConfigurationError("The edited file would hold a secret that the file refers to.")
    return EditedConnection(new, left_out)


def new_connection(definition: Destination, draft: ConnectionDraft) -> EditedConnection:
    """Return the text of a new connection file; secret settings refer to the environment."""
    fields = definition.settings_fields
    settings: dict[str, JSON] = {}
    variables: dict[str, str] = {}
    for key, one in fields.items():
        if one.secret:
            variables[key] = re.sub(r"[^A-Z0-9]+", "_", key.upper())
            settings[key] = f"${{env:{variables[key]}}}"
        elif key in draft.settings and draft.settings[key] != one.default:
            settings[key] = _written(draft.settings[key])
    subscriptions: list[JSON] = [_new(one, definition) for one in draft.subscriptions]
    document: dict[str, JSON] = {"destination": definition.slug}
    document |= {} if draft.enabled else {"enabled": False}
    document["settings"] = settings
    document |= {"consent": {"categories": [*draft.consent]}} if draft.consent else {}
    document |= {"filters": [*draft.filters]} if draft.filters else {}
    secrets = tuple(key for key, one in fields.items() if one.secret and draft.settings.get(key))
    text = write_yaml({**document, "subscriptions": subscriptions})
    return EditedConnection(text, secrets, variables)


def _edits(
    raw: Mapping[str, JSON],
    wanted: Mapping[str, JSON],
    places: Mapping[str, Sequence[int | None]],
) -> Iterator[DocumentEdit]:
    """Yield what turns the document *raw* into *wanted*.

    *places* are those of the items of its lists in the document, None for new ones.
    """
    for key, kept in places.items():
        old, new = raw.get(key), wanted.get(key)
        if isinstance(old, list) and old and isinstance(new, list) and new:
            yield from _list_edits(old, new, kept, (key,))
            raw = {**raw, key: new}
    yield from differences(raw, wanted)


def _list_edits(
    old: Sequence[JSON],
    new: Sequence[JSON],
    kept: Sequence[int | None],
    path: tuple[str | int, ...],
) -> Iterator[DocumentEdit]:
    for index in reversed(range(len(old))):
        if index in kept:
            yield from differences(old[index], new[kept.index(index)], (*path, index))
    for index in reversed(range(len(old))):
        if index not in kept:
            yield DocumentEdit((*path, index))
    # New ones are the last: an item that was there keeps its place.
    places = range(sum(one is not None for one in kept), len(new))
    added = (one for one, at in zip(new, kept, strict=True) if at is None)
    yield from (DocumentEdit((*path, at), one) for at, one in zip(places, added, strict=True))


def differences(old: JSON, new: JSON, path: tuple[str | int, ...] = ()) -> Iterator[DocumentEdit]:
    """Yield the edits of objects, member by member, that turn *old* into *new*.

    Lists of objects are edited item by item if new ones are at their end.
    """
    if equal_json(old, new):
        return
    if isinstance(old, list) and isinstance(new, list):
        yield from _in_list(old, new, path)
        return
    if not (isinstance(old, dict) and isinstance(new, dict) and old and new):
        yield DocumentEdit(path, new)
        return
    if not old.keys() & new.keys() and path:
        yield DocumentEdit(path, new)
        return
    for key, value in new.items():
        if key not in old:
            yield DocumentEdit((*path, key), value)
        else:
            yield from differences(old[key], value, (*path, key))
    for key in old:
        if key not in new:
            yield DocumentEdit((*path, key))


def _in_list(
    old: Sequence[JSON], new: Sequence[JSON], path: tuple[str | int, ...]
) -> Iterator[DocumentEdit]:
    kept: list[int | None] = [*range(len(new))]
    if len(old) != len(new):
        same = [_index(old, one) for one in new]
        # An item that has changed is the one at its place.
        changed = [at for at, one in enumerate(same) if one is None and at < len(old)]
        for at in changed:
            same[at] = None if at in same else at
        kept = [*_ascending(same)]
    added = kept.index(None) if None in kept else len(kept)
    is_editable = bool(new and any(one is not None for one in kept)) and all(
        isinstance(one, dict) for one in (*old, *new)
    )
    if is_editable and not any(at is not None for at in kept[added:]):
        yield from _list_edits(old, new, kept, path)
    else:
        yield DocumentEdit(path, [*new])


def _index(items: Sequence[JSON], wanted: JSON) -> int | None:
    return next((at for at, one in enumerate(items) if equal_json(one, wanted)), None)


def _put(document: dict[str, Any], key: str, value: JSON, default: JSON) -> None:
    """Set a key of a document; a default is written only in place of another value."""
    if value == document.get(key, default):
        return
    if value is None:
        document.pop(key, None)
    else:
        document[key] = value


def _settings(
    raw: Mapping[str, JSON],
    used: Mapping[str, JSON],
    definition: Destination,
    draft: ConnectionDraft,
) -> tuple[dict[str, JSON], tuple[str, ...]]:
    """Return settings as they are written, and the secret ones that were changed to plain text."""
    fields, written = definition.settings_fields, dict(raw)
    left_out = []
    for key in [*raw, *(key for key in draft.settings if key not in raw)]:
        given = draft.settings.get(key)
        one = fields.get(key)
        if one is not None and one.secret:
            if given is None or given == "":
                continue
            if isinstance(given, str) and _REFERENCE.match(given):
                written[key] = given
            elif given != used.get(key):
                left_out.append(key)
        elif given is None or given == "":
            written.pop(key, None)
        elif given != used.get(key) and (key in raw or one is None or given != one.default):
            written[key] = _written(given)
    return written, tuple(left_out)


def _written(value: JSON) -> JSON:
    """Return a setting as a connection file writes it: only whole references are references."""
    if isinstance(value, str):
        return value if _REFERENCE.match(value) else value.replace("${", "$${")
    if isinstance(value, list):
        return [_written(one) for one in value]
    return {key: _written(one) for key, one in value.items()} if isinstance(value, dict) else value


def _kept(
    items: Sequence[SubscriptionItem], wanted: Sequence[Mapping[str, Any]]
) -> list[int | None]:
    """Return the index of the item that each subscription was, in ascending order; or None.

    Names decide; of those left, the next with the same action was renamed.
    """
    names = {item.subscription.name: index for index, item in enumerate(items)}
    found = [names.get(one.get("name", "")) for one in wanted]
    free = [index for index in range(len(items)) if index not in found]
    for position, one in enumerate(wanted):
        if found[position] is None:
            same = (at for at in free if items[at].subscription.action == one["partnerAction"])
            if (at := next(same, None)) is not None:
                found[position] = at
                free.remove(at)
    return list(_ascending(found))


def _ascending(found: Sequence[int | None]) -> Iterator[int | None]:
    last = -1
    for one in found:
        yield one if one is not None and one > last else None
        last = max(last, -1 if one is None else one)


def _changed(
    wanted: Mapping[str, Any], item: SubscriptionItem, definition: Destination
) -> dict[str, JSON]:
    """Return a subscription of the file as it shall be written."""
    raw: dict[str, JSON] = item.node.plain()
    base = item.subscription
    name = {
        part: next((key for key in keys if key in raw), keys[0]) for part, keys in SPELLINGS.items()
    }
    told = wanted.get("name") or base.name
    if told != base.name:
        raw[name["name"]] = told
    if wanted["partnerAction"] != base.action:
        raw[name["action"]] = wanted["partnerAction"]
    action = _action(definition, wanted["partnerAction"])
    trigger = wanted.get("subscribe")
    if trigger is not None and trigger != (base.trigger or (action and action.trigger) or ""):
        raw[name["trigger"]] = trigger
    if wanted.get("enabled", True) != base.enabled:
        raw[name["enabled"]] = wanted.get("enabled", True)
    _map(
        raw,
        name["mapping"],
        wanted.get("mapping") or {},
        item,
        action.default_mapping if action else {},
    )
    return raw


def _map(
    raw: dict[str, Any],
    spelled: str,
    wanted: Mapping[str, JSON],
    item: SubscriptionItem,
    defaults: Mapping[str, JSON],
) -> None:
    """Change the mapping of a subscription as it is written."""
    written, base = dict(raw.get(spelled) or {}), item.subscription.mapping
    for key in [*base, *(key for key in wanted if key not in base)]:
        beside = _OF_ROWS.get(key, "")
        holder, name = (raw, beside) if beside and key not in written else (written, key)
        if key in wanted:
            if wanted[key] != base.get(key) or key not in base:
                holder[name] = wanted[key]
        elif not (key in defaults and base.get(key) == defaults[key]):
            holder.pop(name, None)
    if written or raw.get(spelled):
        raw[spelled] = written


def _new(wanted: Mapping[str, Any], definition: Destination) -> dict[str, JSON]:
    """Return a new subscription as it is written."""
    mapping = dict(wanted.get("mapping") or {})
    rows = {_OF_ROWS[key]: mapping.pop(key) for key in _OF_ROWS if key in mapping}
    action = _action(definition, wanted["partnerAction"])
    trigger = wanted.get("subscribe")
    return {
        **({"name": wanted["name"]} if wanted.get("name") else {}),
        "partnerAction": wanted["partnerAction"],
        **({} if wanted.get("enabled", True) else {"enabled": False}),
        **(
            {"subscribe": trigger} if trigger and not (action and trigger == action.trigger) else {}
        ),
        **rows,
        **({_VERSION: wanted[_VERSION]} if wanted.get(_VERSION) is not None else {}),
        **({"mapping": mapping} if mapping else {}),
    }


def _action(definition: Destination, slug: str) -> Action | None:
    """Return an action by its slug; None for a former one, whose mapping is migrated."""
    return next((one for one in definition.actions if one.slug == slug), None)
