"""AD41: triggers."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import readers, trigger

TRIGGERS: Final = (
    Entry(
        "AD411",
        "The trigger does not parse.",
        "The caret marks the position of the error.",
        trigger('type = "track" and event ='),
        "Expected a value after `=`.",
    ),
    Entry(
        "AD412",
        "A part of the trigger is ignored.",
        "Segment's implementation ignores it too, without a message; so it does with keys below "
        "text fields, such as `event.name`.",
        trigger('type = "track" and event = Order Completed'),
        "`Completed` is ignored; put quotes around a value of several words.",
    ),
    Entry(
        "AD413",
        "The trigger reads a field that does not exist in any event.",
        "Such a condition has the same result for every event.",
        trigger('type = "track" and usreId = "u-1"'),
        "`$.usreId` does not exist in Segment's spec. Did you mean `userId`?",
    ),
    Entry(
        "AD414",
        "A condition is never true.",
        "No event matches the trigger, or one of its alternatives has no effect.",
        trigger('type = "trak"'),
        'No event has the type "trak". Did you mean "track"?',
    ),
    Entry(
        "AD415",
        "A condition is always true.",
        "It has no effect and may be a mistake.",
        trigger("userId = null or userId != null"),
        "The trigger matches every event.",
    ),
    Entry(
        "AD416",
        "Segment's implementation reads the trigger differently.",
        "The trigger matches different events there; this matters when you move it.",
        trigger("type = 'track'"),
        "Segment's implementation reads it as `type = \"'track'\"`: it keeps single quotes as "
        "part of "
        'the value. It does not match {"type": "track"}; this framework matches it.',
    ),
    Entry(
        "AD417",
        "Two opposite subscriptions match the same event.",
        "One undoes the other, and their order is undefined.",
        readers('event = "Entered" or event = "Left"', 'event = "Left"'),
        'An event can match both this subscription and "addReader", its opposite. Example: '
        '{"event": "Left", "type": "track"}',
    ),
    Entry(
        "AD418",
        "Events between two opposite subscriptions match neither.",
        "Often a limit is missing in both triggers.",
        readers("properties.score > 5", "properties.score < 5"),
        'Events between this subscription and "addReader" match neither. Example: '
        '{"properties": {"score": 5}, "type": "track"}',
    ),
    Entry(
        "AD419",
        "No event of the sample matches the trigger.",
        "The sample is too small, or the trigger is wrong. The example uses `--events` with a "
        "file of "
        "one `track` event.",
        trigger('type = "identify"'),
        "No event of the sample matches the trigger.",
    ),
    Entry(
        "AD420",
        "A word in a trigger is text, but looks like a constant.",
        "The constants are `null`, `true` and `false`, in lower case.",
        trigger("properties.coupon != NULL"),
        "`NULL` is text here, not a constant. Write `null`, or put quotes around it.",
    ),
)
