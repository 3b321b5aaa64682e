"""AD40 and AD6: destinations, actions and manifests."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import HEAD

_BARE: Final = '{"slug": "letters", "name": "Letters", "actions": %s}\n'

MANIFESTS: Final = (
    Entry(
        "AD601",
        "The manifest is invalid.",
        "Invalid parts are ignored; without a required part, so is the whole destination.",
        _BARE % '["sendLetter"]',
        "`/actions` must be an object, got a list.",
        "metadata.json",
    ),
    Entry(
        "AD602",
        "A part of the manifest is ignored.",
        "The rest is usable: mappings are checked and documented without that part.",
        _BARE % '{"send": {"title": "Send", "fields": {}, "defaultSubscription": "type ="}}',
        "`/actions/send/defaultSubscription` is not a valid trigger and is left out. "
        "Expected a value after `=`.",
        "metadata.json",
    ),
)

CONNECTIONS: Final = (
    Entry(
        "AD401",
        "The destination is unknown.",
        "Install it, or pass its manifest with `--manifest`.",
        "destination: lettres\nsubscriptions: [{partnerAction: sendLetter}]\n",
        'There is no destination "lettres". Did you mean `letters`? Known destinations: letters.',
    ),
    Entry(
        "AD402",
        "The action is unknown.",
        "The subscription cannot deliver anything.",
        f"{HEAD}subscriptions:\n  - partnerAction: sendLeter\n",
        "Destination `letters` has no action `sendLeter`. Did you mean `sendLetter`?",
    ),
    Entry(
        "AD403",
        "The trigger is missing.",
        "The action has no default trigger, so the subscription must define one.",
        f"{HEAD}subscriptions:\n  - partnerAction: sendLetter\n"
        "    mapping: {address: a@b.example, text: Hello}\n",
        "The trigger is missing: action `sendLetter` has no default trigger. Set `subscribe`.",
    ),
    Entry(
        "AD404",
        "Two subscriptions do not fit together.",
        "The destination knows that one of them would undo, or never find, what the other does.",
        f"{HEAD}subscriptions:\n  - partnerAction: addReader\n"
        '    subscribe: event = "Entered"\n    mapping: {reader: a@b.example}\n'
        "  - partnerAction: removeReader\n"
        '    subscribe: event = "Left"\n    mapping: {reader: c@d.example}\n',
        "The reader that is added is not the one that is removed. Map the same reader in both.",
    ),
    Entry(
        "AD405",
        "The mapping is of an older version of its action.",
        "It is migrated whenever the file is used. `actions validate --fix` saves the new form and "
        "keeps comments; in a mapping that is current, `mappingVersion` says so.",
        f"{HEAD}subscriptions:\n  - partnerAction: sendLetter\n"
        '    subscribe: type = "track"\n    mapping: {recipient: a@b.example, text: Hello}\n',
        "The mapping is of an older version of action `sendLetter`. `recipient` is called "
        "`address` now. Run `actions validate --fix` to save the new form: "
        '{"mappingVersion": 1, "mapping": {"address": "a@b.example"}}.',
    ),
    Entry(
        "AD406",
        "The mapping cannot be migrated.",
        "It is of a later version than the destination knows, or a migration fails.",
        f"{HEAD}subscriptions:\n  - partnerAction: sendLetter\n"
        '    subscribe: type = "track"\n    mappingVersion: 4\n'
        "    mapping: {address: a@b.example, text: Hello}\n",
        "The mapping has version 4, but action `sendLetter` of this version of the destination "
        "knows versions up to 1. Update the destination.",
    ),
)
