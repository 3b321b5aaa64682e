"""AD50 to AD53: mappings, their values, field options and batches."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import mapping, readers

MAPPINGS: Final = (
    Entry(
        "AD501",
        "A part of the mapping has an invalid structure.",
        "The mapping cannot be compiled, so the connection cannot be opened.",
        mapping('reference: {"@pth": $.messageId}'),
        "/reference has an invalid directive: @pth. Did you mean `@path`?",
    ),
    Entry(
        "AD502",
        "A part of the mapping fails at runtime.",
        "Segment's implementation reports it only when it processes an event.",
        mapping('reference: {"@case": {operator: title, value: {"@path": $.messageId}}}'),
        "`/reference/@case/operator` must be one of lower, upper.",
    ),
    Entry(
        "AD503",
        "The field is unknown, or the key of an object that declares its keys.",
        "A connection with an unknown field cannot be opened. Unknown keys of objects are ignored.",
        mapping("adress: c@d.example"),
        "Action `sendLetter` has no field `adress`. Did you mean `address`?",
    ),
    Entry(
        "AD504",
        "The path does not exist in any event.",
        "The value is always missing. The structure of events comes from Segment's spec, or from "
        "`--event-schema` or `--events`.",
        mapping('reference: {"@path": $.mesageId}'),
        "`$.mesageId` does not exist in Segment's spec. Did you mean `$.messageId`?",
    ),
    Entry(
        "AD505",
        "A key in a path looks like a typo.",
        "Objects such as `properties` may contain any key, so this is likely but not certain.",
        mapping('reference: {"@path": $.properties.ordre_id}'),
        "`ordre_id` in `$.properties.ordre_id` looks like a typo. Did you mean "
        "`$.properties.order_id`?",
    ),
    Entry(
        "AD506",
        "A template renders an object.",
        "The text would contain `[object Object]`.",
        mapping('reference: {"@template": "from {{context.page}}"}'),
        "`$.context.page` is an object, which renders as `[object Object]`. Use one of "
        "its members, or encode it with `@json`.",
    ),
    Entry(
        "AD507",
        "A hashed value would be hashed again.",
        "The partner could not match the result.",
        mapping('phone: {"@path": $.properties.phone_sha256}', "hash_phone: true"),
        "Field `phone` receives `$.properties.phone_sha256`, which is hashed already according "
        "to its "
        "name; `hash_phone` would hash it again. Map `hash_phone` to false, or map an unhashed "
        "value.",
    ),
    Entry(
        "AD508",
        "The sync mode is unknown.",
        "Warehouse rows would be delivered without a sync mode.",
        readers('event = "A"', 'event = "B"', ", __segment_internal_sync_mode: mirror"),
        'The sync mode must be one of add, delete, got "mirror".',
    ),
    Entry(
        "AD509",
        "A text looks like a path, a template or a directive.",
        "Text is sent unchanged; only directives read the event.",
        mapping("reference: $.messageId"),
        "This text looks like a path, but text is sent unchanged. Write "
        '`{"@path": "$.messageId"}`.',
    ),
    Entry(
        "AD510",
        "The matching key is unknown.",
        "The action identifies records of a warehouse by other fields, so the connection cannot be "
        "opened.",
        readers('event = "A"', 'event = "B"', ", __segment_internal_matching_key: name"),
        'The matching key must be one of reader, card, got "name".',
    ),
    Entry(
        "AD511",
        "A required field never gets a value.",
        "Every event would fail.",
        mapping(without="text"),
        "Field `text` of action `sendLetter` is required; nothing is mapped to it.",
    ),
    Entry(
        "AD512",
        "A required field may get no value.",
        "Events without it fail. Provide an alternative with `@if`, or test it in the trigger.",
        mapping('text: {"@path": $.userId}', without="text"),
        "Field `text` of action `sendLetter` is required; `$.userId` may give no value.",
    ),
    Entry(
        "AD513",
        "No value can be converted to the type of the field.",
        "Every event would fail.",
        mapping('copies: {"@path": $.context}'),
        "Field `copies` of action `sendLetter` must be an integer; `$.context` gives an object.",
    ),
    Entry(
        "AD514",
        "A value may have a type that the field does not accept.",
        "Events with a value that cannot be converted fail.",
        mapping('copies: {"@path": $.version}'),
        "Field `copies` of action `sendLetter` must be an integer; `$.version` may give a"
        " number or text.",
    ),
    Entry(
        "AD515",
        "The field does not accept the value.",
        "It is not among the choices, has the wrong format, or is out of bounds.",
        mapping("paper: glossy"),
        'Field `paper` of action `sendLetter` must be "plain" or "fine"; its mapping '
        'gives "glossy".',
    ),
    Entry(
        "AD516",
        "A condition of the mapping has the same result for every event.",
        "One of its branches is never used.",
        mapping(
            'reference: {"@if": {exists: {"@template": "{{userId}}"}, then: yes, '
            'else: {"@path": $.messageId}}}'
        ),
        "The condition `exists` always holds, so `else` is never used. A template always gives "
        "text, which may be empty; `blank` tests for that.",
    ),
    Entry(
        "AD521",
        "A read-only field is mapped.",
        "Editors do not allow changes to it.",
        mapping("sender: me"),
        "Field `sender` is read-only: its value cannot be set. Remove it: the default applies.",
    ),
    Entry(
        "AD522",
        "A hidden field is mapped.",
        "Editors do not show the field, so users of an editor will not see the value.",
        mapping("trace: abc"),
        "Field `trace` is hidden: it is not intended to be mapped.",
    ),
    Entry(
        "AD523",
        "A mapped field does not apply.",
        "Editors show it only when other fields have certain values.",
        mapping("seal: red"),
        'Field `seal` applies only when `paper` is "fine".',
    ),
    Entry(
        "AD524",
        "A field is mapped with an input method that it does not accept.",
        "Editors do not offer this input method.",
        mapping("reference: abc"),
        "Field `reference` does not accept fixed values.",
    ),
    Entry(
        "AD531",
        "A batch key is not a field of the action.",
        "Batches would not be split by it.",
        mapping("batch_keys: [rond]"),
        "Batch key `rond` is not a field of action `sendLetter`. Did you mean `round`?",
    ),
    Entry(
        "AD532",
        "A batch key differs for nearly every event.",
        "Every request would contain one event and soon reach the partner's rate limit.",
        mapping('round: {"@path": $.messageId}'),
        "Field `round` is a batch key, but `$.messageId` differs for nearly every event. Each "
        "event "
        "would be sent in its own request.",
    ),
    Entry(
        "AD533",
        "A batch shares a value that differs between its events.",
        "The request contains the value once, for all events of the batch.",
        mapping('stamp: {"@path": $.properties.stamp}'),
        "Field `stamp` is read from the event but is not a batch key. A request contains many "
        "events: "
        "the value of one of them would apply to all.",
    ),
)
