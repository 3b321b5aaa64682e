"""The schema of an event: the parts of the Segment spec that are common to all sources."""

from __future__ import annotations

from framework.schemas.schema_parts import Schema, document, maybe, record, reference, value

TYPES = ("track", "identify", "page", "screen", "group", "alias")

_MOMENTS = {
    "timestamp": "When it happened, corrected for clock skew.",
    "originalTimestamp": "When it happened, by the device's clock.",
    "sentAt": "When the device sent it.",
    "receivedAt": "When the source received it.",
}
_IDENTITIES = {
    "userId": "The user's ID in the sender's database.",
    "anonymousId": "The ID of an unidentified user.",
    "groupId": "The ID of the group in a `group` event.",
    "previousId": "The ID that an `alias` event replaces.",
}


def event_schema() -> Schema:
    """Return the JSON Schema of one event; it allows additional keys everywhere."""
    properties = {
        "type": value("string", "The type of the event.", examples=list(TYPES)),
        "event": value("string", "The name of the user's action, in `track` events."),
        "name": value("string", "The name of the page or screen."),
        "messageId": value("string", "The ID of the event; unchanged when it is sent again."),
        **{key: maybe("string", text) for key, text in _IDENTITIES.items()},
        **{key: reference("moment", text) for key, text in _MOMENTS.items()},
        "properties": maybe("object", "Properties of the action, page or screen."),
        "traits": maybe("object", "Traits of the user or group."),
        "context": reference("context", "The context of the event."),
        "integrations": maybe("object", "The destinations for which the event is intended."),
        "version": value(["string", "number"], "The version of the sender's event format."),
    }
    body = record(properties, ("type",))
    named = {"properties": {"type": {"const": "track"}}, "required": ["type"]}
    return document(
        "Event",
        "An event of the Segment spec, as input of a delivery.",
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
            "computation_key": maybe("string", "The key of the audience."),
            "computation_id": maybe("string", "The ID of the computation."),
            "external_audience_id": maybe("string", "The ID of the audience at the partner."),
            "audience_settings": maybe("object", "The settings of the audience."),
        },
        description="The audience or journey from which the event originates.",
    )
    page = record(
        {
            key: maybe("string", text)
            for key, text in {
                "url": "The URL of the page.",
                "path": "The path of the URL.",
                "referrer": "The URL of the previous page.",
                "search": "The query of the URL.",
                "title": "The title of the page.",
            }.items()
        },
        description="The page that was shown.",
    )
    return {
        "title": "Context",
        **record(
            {
                "traits": maybe("object", "Traits of the user."),
                "personas": {**personas, "type": ["object", "null"]},
                "page": {**page, "type": ["object", "null"]},
                "ip": maybe("string", "The IP address of the device."),
                "userAgent": maybe("string", "The user agent: browser or app."),
                "locale": maybe("string", "Language and country, such as `en-GB`."),
                "timezone": maybe("string", "The name of the time zone."),
                "campaign": maybe("object", "The campaign that led to the event."),
                "device": maybe("object", "The device."),
                "app": maybe("object", "The app."),
                "os": maybe("object", "The operating system."),
                "library": maybe("object", "The library that sent the event."),
                "groupId": maybe("string", "The ID of the group on whose behalf the user acts."),
            }
        ),
    }
