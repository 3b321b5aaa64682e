"""AD50 to AD53: mappings, the values that they give, rules of fields, and batches."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import mapping, readers

MAPPINGS: Final = (
    Entry(
        "AD501",
        "A part of the mapping has a wrong shape.",
        "The mapping cannot be compiled, so the connection cannot be opened.",
        mapping('reference: {"@pth": $.messageId}'),
        "/reference has an invalid directive: @pth. Did you mean `@path`?",
    ),
    Entry(
        "AD502",
        "A part of the mapping fails for events.",
        "Segment's library finds it only when an event comes.",
        mapping('reference: {"@case": {operator: title, value: {"@path": $.messageId}}}'),
        "`/reference/@case/operator` must be one of lower, upper.",
    ),
    Entry(
        "AD503",
        "The action has no such field.",
        "What is mapped to it goes nowhere.",
        mapping("adress: c@d.example"),
        "Action `sendLetter` has no field `adress`. Did you mean `address`?",
    ),
    Entry(
        "AD504",
        "No event has the path.",
        "The value is always missing. What events have is known from the spec, or from "
        "`--event-schema` or `--events`.",
        mapping('reference: {"@path": $.mesageId}'),
        "No event that comes here has `$.mesageId`, by the spec. Did you mean `$.messageId`?",
    ),
    Entry(
        "AD505",
        "A name in a path is probably a slip.",
        "Objects such as `properties` may hold anything, so this is likely but not certain.",
        mapping('reference: {"@path": $.properties.ordre_id}'),
        "`ordre_id` in `$.properties.ordre_id` is probably a slip. Did you mean "
        "`$.properties.order_id`?",
    ),
    Entry(
        "AD506",
        "A template prints an object.",
        "The text would hold `[object Object]`.",
        mapping('reference: {"@template": "from {{context.page}}"}'),
        "`$.context.page` is an object, which prints as `[object Object]`. Name one of "
        "its members, or write it as JSON with `@json`.",
    ),
    Entry(
        "AD507",
        "A value that is hashed already would be hashed again.",
        "The partner could match it with nothing.",
        mapping('phone: {"@path": $.properties.phone_sha256}', "hash_phone: true"),
        "Field `phone` gets `$.properties.phone_sha256`, which is hashed by its name, and"
        " `hash_phone` hashes it again. Map `hash_phone` to false, or map a plain value.",
    ),
    Entry(
        "AD508",
        "The action does not know the sync mode.",
        "Rows of a warehouse would be delivered without any.",
        readers('event = "A"', 'event = "B"', ", __segment_internal_sync_mode: mirror"),
        'The sync mode must be one of add, delete, got "mirror".',
    ),
    Entry(
        "AD511",
        "A required field never gets a value.",
        "Every event would be refused.",
        mapping(without="text"),
        "Field `text` of action `sendLetter` is required; nothing is mapped to it.",
    ),
    Entry(
        "AD512",
        "A required field may get no value.",
        "Events without it are refused. Give an alternative with `@if`, or test it in the trigger.",
        mapping('text: {"@path": $.userId}', without="text"),
        "Field `text` of action `sendLetter` is required; `$.userId` may give nothing.",
    ),
    Entry(
        "AD513",
        "A value can never be converted to the field's type.",
        "Every event would be refused.",
        mapping('copies: {"@path": $.context}'),
        "Field `copies` of action `sendLetter` must be an integer; `$.context` gives an object.",
    ),
    Entry(
        "AD514",
        "A value may be of a type that the field does not take.",
        "Events in which it cannot be converted are refused.",
        mapping('copies: {"@path": $.version}'),
        "Field `copies` of action `sendLetter` must be an integer; `$.version` may give a"
        " number or text.",
    ),
    Entry(
        "AD515",
        "A value is not what the field takes.",
        "It is none of the choices, has a wrong format, or is out of bounds.",
        mapping("paper: glossy"),
        'Field `paper` of action `sendLetter` must be "plain" or "fine"; its mapping '
        'gives "glossy".',
    ),
    Entry(
        "AD521",
        "A read-only field is mapped.",
        "Editors do not let it be changed.",
        mapping("sender: me"),
        "Field `sender` is read-only: no value of its own is expected. Leave it out: its "
        "default is used.",
    ),
    Entry(
        "AD522",
        "A hidden field is mapped.",
        "Editors do not show it: whoever edits the mapping there will not see the value.",
        mapping("trace: abc"),
        "Field `trace` is hidden: it is not meant to be mapped.",
    ),
    Entry(
        "AD523",
        "A field is mapped that has no meaning here.",
        "Editors show it only when other fields have certain values.",
        mapping("seal: red"),
        'Field `seal` has no meaning here: it is for when `paper` is "fine".',
    ),
    Entry(
        "AD524",
        "A field is mapped in a way that it does not take.",
        "Editors do not offer this way.",
        mapping("reference: abc"),
        "Field `reference` does not take fixed values.",
    ),
    Entry(
        "AD531",
        "A batch key is no field of the action.",
        "Batches would not be parted by it.",
        mapping("batch_keys: [rond]"),
        "Batch key `rond` is no field of action `sendLetter`. Did you mean `round`?",
    ),
    Entry(
        "AD532",
        "A batch key is different for nearly every event.",
        "Every call would carry one event, and the partner's rate limit is soon reached.",
        mapping('round: {"@path": $.messageId}'),
        "Field `round` is a batch key, and `$.messageId` is different for nearly every "
        "event. Each event would be sent in a call of its own.",
    ),
    Entry(
        "AD533",
        "A batch shares a value that differs between its events.",
        "The call takes the value once, for all events of the batch.",
        mapping('stamp: {"@path": $.properties.stamp}'),
        "Field `stamp` is read from the event, but is no batch key. A call holds many "
        "events: the value of one of them would count for all.",
    ),
)
