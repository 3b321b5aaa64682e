"""The schema of an event: the Segment spec, as far as it is common to all sources."""

from __future__ import annotations

from framework.schemas.schema_parts import Schema, document, maybe, record, reference, value

TYPES = ("track", "identify", "page", "screen", "group", "alias")

_MOMENTS = {
    "timestamp": "When it happened, corrected for a wrong clock.",
    "originalTimestamp": "When it happened, by the clock of the device.",
    "sentAt": "When the device sent it.",
    "receivedAt": "When the source received it.",
}
_IDENTITIES = {
    "userId": "The user's id in the sender's own database.",
    "anonymousId": "The id of somebody who is not known yet.",
    "groupId": "The id of the group that a `group` event is about.",
    "previousId": "The id that an `alias` event replaces.",
}


def event_schema() -> Schema:
    """Return the schema of one event; keys that it does not name are welcome everywhere."""
    properties = {
        "type": value("string", "What kind of event it is.", examples=list(TYPES)),
        "event": value("string", "The name of what was done, in `track` events."),
        "name": value("string", "The name of the page or screen."),
        "messageId": value("string", "The event's own id; the same when it is sent again."),
        **{key: maybe("string", text) for key, text in _IDENTITIES.items()},
        **{key: reference("moment", text) for key, text in _MOMENTS.items()},
        "properties": maybe("object", "What is told about what was done or seen."),
        "traits": maybe("object", "What is told about the user or group."),
        "context": reference("context", "The circumstances of the event."),
        "integrations": maybe("object", "For which destinations the event is meant."),
        "version": value(["string", "number"], "The version of the sender's event format."),
    }
    body = record(properties, ("type",))
    named = {"properties": {"type": {"const": "track"}}, "required": ["type"]}
    return document(
        "Event",
        "An event of the Segment spec, as it enters a delivery.",
        {
            **body,
            "if": named,
            "then": {"required": ["event"]},
            "$defs": {"moment": _moment(), "context": _context()},
        },
    )


def _moment() -> Schema:
    return {
        "title": "Moment",
        "description": "A date and time in ISO 8601, or milliseconds since 1970.",
        "type": ["string", "number", "null"],
    }


def _context() -> Schema:
    personas = record(
        {
            "computation_class": maybe("string", "`audience`, `journey_step` or a trait."),
            "computation_key": maybe("string", "The audience's key."),
            "computation_id": maybe("string", "The id of the computation."),
            "external_audience_id": maybe("string", "The audience's id at the partner."),
            "audience_settings": maybe("object", "The settings of the audience."),
        },
        description="Which audience or journey the event comes from.",
    )
    page = record(
        {
            key: maybe("string", text)
            for key, text in {
                "url": "The page's address.",
                "path": "The path of the address.",
                "referrer": "The page before.",
                "search": "The query of the address.",
                "title": "The page's title.",
            }.items()
        },
        description="The page that was shown.",
    )
    return {
        "title": "Context",
        **record(
            {
                "traits": maybe("object", "What is known about the user."),
                "personas": {**personas, "type": ["object", "null"]},
                "page": {**page, "type": ["object", "null"]},
                "ip": maybe("string", "The address of the device."),
                "userAgent": maybe("string", "The browser or app."),
                "locale": maybe("string", "Language and country, such as `en-GB`."),
                "timezone": maybe("string", "The name of the time zone."),
                "campaign": maybe("object", "The campaign that led here."),
                "device": maybe("object", "The device."),
                "app": maybe("object", "The app."),
                "os": maybe("object", "The operating system."),
                "library": maybe("object", "The library that sent the event."),
                "groupId": maybe("string", "The group that the user acts for."),
            }
        ),
    }
