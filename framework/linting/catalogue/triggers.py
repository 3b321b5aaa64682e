"""AD41: triggers."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import readers, trigger

TRIGGERS: Final = (
    Entry(
        "AD411",
        "The trigger does not parse.",
        "The caret stands where something else was expected.",
        trigger('type = "track" and event ='),
        "Expected a value after `=`.",
    ),
    Entry(
        "AD412",
        "A part of the trigger is ignored.",
        "Segment's library passes over it too; it says nothing.",
        trigger('type = "track" and event = Order Completed'),
        "`Completed` is ignored; a value of several words needs quotes.",
    ),
    Entry(
        "AD413",
        "The trigger reads a field that no event has.",
        "Such a condition sees nothing, so it decides the same way for every event.",
        trigger('type = "track" and usreId = "u-1"'),
        "No event that comes here has `$.usreId`, by the spec. Did you mean `$.userId`?",
    ),
    Entry(
        "AD414",
        "A condition can never hold.",
        "No event matches: nothing will be delivered, or an alternative is idle.",
        trigger('type = "trak"'),
        'No event has the type "trak". Did you mean "track"?',
    ),
    Entry(
        "AD415",
        "A condition always holds.",
        "It decides nothing; perhaps another one was meant.",
        trigger("userId = null or userId != null"),
        "The trigger always holds: every event matches.",
    ),
    Entry(
        "AD416",
        "Segment's library reads the trigger differently.",
        "A trigger that is moved from there, or to there, would match other events.",
        trigger("type = 'track'"),
        "The reference reads it as `type = \"'track'\"`: it keeps single quotes as part of "
        'the value. There it does not match {"type": "track"}; here it matches it.',
    ),
    Entry(
        "AD417",
        "Two opposite subscriptions match the same event.",
        "What one does the other undoes; which of them comes last is chance.",
        readers('event = "Entered" or event = "Left"', 'event = "Left"'),
        'An event can match this and "addReader" both, which do the opposite. One is: '
        '{"event": "Left", "type": "track"}',
    ),
    Entry(
        "AD418",
        "There are events between two opposite subscriptions.",
        "A limit that neither of them includes is easily overlooked.",
        readers("properties.score > 5", "properties.score < 5"),
        'Between this and "addReader" there are events that match neither. One is: '
        '{"properties": {"score": 5}, "type": "track"}',
    ),
    Entry(
        "AD419",
        "No event of the sample matches the trigger.",
        "The sample may be too small, or the trigger is not what was meant. With `--events`, "
        "here a file with one `track` event.",
        trigger('type = "identify"'),
        "No event of the sample matches the trigger.",
    ),
)
