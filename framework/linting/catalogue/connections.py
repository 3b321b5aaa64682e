"""AD40 and AD6: destinations, actions and manifests."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import HEAD

_BARE: Final = '{"slug": "letters", "name": "Letters", "actions": %s}\n'

MANIFESTS: Final = (
    Entry(
        "AD601",
        "The manifest is wrong.",
        "What is wrong is left out, and so is the whole destination where it cannot do without.",
        _BARE % '["sendLetter"]',
        "`/actions` must be an object, got a list.",
        "metadata.json",
    ),
    Entry(
        "AD602",
        "A part of the manifest is left out.",
        "The rest can be used: mappings are checked and documented without that part.",
        _BARE % '{"send": {"title": "Send", "fields": {}, "defaultSubscription": "type ="}}',
        "`/actions/send/defaultSubscription` is no trigger that works, and is left out. "
        "Expected a value after `=`.",
        "metadata.json",
    ),
)

CONNECTIONS: Final = (
    Entry(
        "AD401",
        "There is no such destination.",
        "It must be installed, or its manifest given with `--manifest`.",
        "destination: lettres\nsubscriptions: [{partnerAction: sendLetter}]\n",
        'There is no destination "lettres". Did you mean `letters`? Known destinations: letters.',
    ),
    Entry(
        "AD402",
        "The destination has no such action.",
        "The subscription would deliver nothing.",
        f"{HEAD}subscriptions:\n  - partnerAction: sendLeter\n",
        "Destination `letters` has no action `sendLeter`. Did you mean `sendLetter`?",
    ),
    Entry(
        "AD403",
        "There is no trigger.",
        "The action has no default, so the subscription must say when it runs.",
        f"{HEAD}subscriptions:\n  - partnerAction: sendLetter\n"
        "    mapping: {address: a@b.example, text: Hello}\n",
        "A trigger is needed: action `sendLetter` has no default trigger. Give it as `subscribe`.",
    ),
)
