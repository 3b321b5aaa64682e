"""The request and response types of the tester's own API, with their descriptions.

In the OpenAPI document, a class is named without `Json` and described by its docstring, if any.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from framework.tester.workspace import Mode

MAX_EVENTS = 5_000

T = TypeVar("T")
Omissible: TypeAlias = T | UnsetType


def about(description: str, **limits: Any) -> Meta:
    """Return the description and the limits of a value."""
    return Meta(description=description, **limits)


JsonObject: TypeAlias = dict[str, Any]
DestinationSlug: TypeAlias = Annotated[str, about("The slug of a destination.", max_length=200)]
TriggerText: TypeAlias = Annotated[str, about("A trigger's text.", max_length=20_000)]
OptionalTrigger: TypeAlias = Annotated[
    Annotated[str, Meta(max_length=20_000)] | None,
    about("The trigger. Default: the action's trigger."),
]
MappingObject: TypeAlias = Annotated[
    JsonObject, about("Value or directive by field. Other fields use the default.")
]
EventList: TypeAlias = Annotated[
    list[JsonObject], about("Events as decoded JSON.", max_length=MAX_EVENTS)
]
NonEmptyEventList: TypeAlias = Annotated[EventList, Meta(min_length=1)]
ModeName: TypeAlias = Annotated[
    Mode,
    about("The target of requests: `sandbox`, `dry` (none) or `live`."),
]


class ErrorDetailJson(Struct):
    code: Annotated[str, about("A code for programs.")]
    message: Annotated[str, about("The message.")]
    problems: Annotated[list[str], about("Every problem, one sentence each.")]


class ErrorJson(Struct):
    error: ErrorDetailJson


class RejectedJson(Struct):
    line: Annotated[int, about("From 1.")]
    reason: Annotated[str, about("Why it is no event, a sentence.")]


class SubscriptionJson(Struct, rename="camel"):
    partner_action: Annotated[str, about("The slug of the action.")]
    name: Omissible[Annotated[str, about("The name in reports; unique in the connection.")]] = UNSET
    subscribe: Omissible[OptionalTrigger] = UNSET
    mapping: Omissible[MappingObject] = UNSET
    enabled: Omissible[Annotated[bool, about("Whether it is enabled.")]] = UNSET


class ConsentJson(Struct):
    """The consent that events need."""

    categories: Annotated[
        list[Annotated[str, about("The ID of a consent category.", min_length=1)]],
        about("Events with preferences are sent only if all of these are true.", max_length=100),
    ]


class FilterActionJson(Struct):
    type: Annotated[str, about("DROP, SAMPLE, DROP_PROPERTIES or ALLOW_PROPERTIES.")]
    percent: Omissible[Annotated[float, about("The share that SAMPLE keeps, from 0 to 1.")]] = UNSET
    path: Omissible[Annotated[str, about("The path whose value SAMPLE decides by.")]] = UNSET
    fields: Omissible[
        Annotated[dict[str, list[str]], about("Names of fields by the path of their object.")]
    ] = UNSET


class FilterJson(Struct, rename={"condition": "if"}):
    """A destination filter, which events pass before subscriptions.

    `/api/validate` finds the problems of its values; other routes refuse them.
    """

    condition: Annotated[str, about("The trigger of its events, or `all`.")]
    actions: Annotated[list[FilterActionJson], about("What it does; at least one.")]
    title: Omissible[Annotated[str, about("The name in reports.")]] = UNSET
    description: Omissible[Annotated[str, about("A note.")]] = UNSET
    enabled: Omissible[Annotated[bool, about("Whether it is enabled.")]] = UNSET


class ConnectionJson(Struct):
    destination: DestinationSlug
    settings: Omissible[
        Annotated[
            JsonObject,
            about(
                "Settings by key. Missing secrets are taken from the connection file that the "
                "tester was started with, if it is for this destination."
            ),
        ]
    ] = UNSET
    enabled: Omissible[
        Annotated[
            bool, about("Whether it is enabled; a disabled one runs in the sandbox and dry only.")
        ]
    ] = UNSET
    consent: Omissible[ConsentJson] = UNSET
    filters: Omissible[
        Annotated[list[FilterJson], about("Destination filters.", max_length=50)]
    ] = UNSET
    subscriptions: Omissible[
        Annotated[
            list[SubscriptionJson],
            about("Default: those of a new connection.", max_length=50),
        ]
    ] = UNSET


class ChoiceJson(Struct):
    """A choice."""

    value: Any
    label: str


class FormFieldJson(Struct, rename="camel"):
    key: str
    label: str
    description: str
    type: Annotated[
        str, about("string, text, password, number, integer, boolean, datetime, object.")
    ]
    required: Annotated[Any, about("true, false, or conditions `{match, conditions: [...]}`.")]
    multiple: bool
    secret: Annotated[bool, about("Show it as a password; its value is never returned.")]
    default: Annotated[Any, about("A value, or null.")]
    mapping: Annotated[Any, about("The initial expression in a new subscription, or null.")]
    choices: list[ChoiceJson]
    placeholder: str
    category: str | None
    dynamic: bool
    read_only: bool
    hidden: bool
    display_mode: str | None
    properties: list[FormFieldJson] | None


class SyncModeJson(Struct):
    """The sync modes of an action; a mapping holds one under `__segment_internal_sync_mode`."""

    label: str
    description: str
    default: str
    choices: list[str]


class MappingHookJson(Struct):
    kind: Annotated[str, about("The key of its outputs in a mapping.")]
    label: str
    description: str
    required: bool
    inputs: list[FormFieldJson]
    outputs: list[FormFieldJson]
    dynamic: Annotated[list[str], about("Places of dynamic inputs.")]


class ActionJson(Struct, rename="camel"):
    slug: str
    title: str
    description: str
    trigger: str | None
    mapping: Annotated[JsonObject, about("The default mapping.")]
    batching: JsonObject | None
    hidden: bool
    fields: list[FormFieldJson]
    dynamic: Annotated[list[str], about("Places of dynamic fields.")]
    rules: Annotated[list[str], about("Rules across fields, a sentence each.")]
    sync_mode: SyncModeJson | None
    matching_keys: Annotated[list[str], about("Fields that can identify records; see syncMode.")]
    hooks: list[MappingHookJson]


class RateJson(Struct):
    calls: Annotated[int, about("Calls")]
    seconds: float


class AudiencesJson(Struct, rename="camel"):
    """Audiences that the partner knows by an ID of its own."""

    settings: list[FormFieldJson]
    can_get: Annotated[bool, about("Whether the partner can be asked for one.")]


class DefinitionJson(Struct, rename="camel"):
    slug: DestinationSlug
    name: str
    description: str
    has_sandbox: Annotated[bool, about("Whether there is a sandbox.")]
    checks_authentication: Annotated[bool, about("Whether credentials can be tested.")]
    deletes_users: Annotated[bool, about("Whether events of type `delete` are accepted.")]
    rate: RateJson | None
    settings: Annotated[list[FormFieldJson], about("The form of the settings.")]
    settings_rules: Annotated[list[str], about("Rules across settings, a sentence each.")]
    dynamic_settings: Annotated[list[str], about("Places of dynamic settings.")]
    audience: AudiencesJson | None
    actions: list[ActionJson]
    subscriptions: Annotated[
        list[SubscriptionJson],
        about("The subscriptions of a new connection, with complete mappings."),
    ]
    manifest: Annotated[
        JsonObject, about("Its manifest, in the form of Segment's `metadata.json`.")
    ]


class SeenJson(Struct):
    """A field and its value; no `value` if the event does not have it."""

    field: str
    value: Any = UNSET


class ConditionJson(Struct):
    condition: Annotated[str, about("The condition's text.")]
    join: Literal["and", "or", "not", "condition"]
    truth: Annotated[bool | None, about("null: neither true nor false.")]
    parts: Omissible[Annotated[list[ConditionJson], about("The conditions that are joined.")]] = (
        UNSET
    )
    saw: Omissible[list[SeenJson]] = UNSET


class ChangeJson(Struct):
    path: Annotated[str, about("The path in the event: `$.properties.plan`.")]
    kind: Literal["set", "remove"]
    text: Annotated[str, about("The change as a sentence.")]
    value: Annotated[Any, about("The new value.")] = UNSET


class VerdictJson(Struct):
    matched: bool
    reason: Annotated[str, about("One sentence.")]
    tree: ConditionJson
    changes: (
        Annotated[list[ChangeJson], about("The smallest changes after which it matches.")] | None
    )


class SourceJson(Struct):
    """A path of the event that was read; no `value` if it does not exist."""

    path: str
    value: Any = UNSET


class MappedFieldJson(Struct, rename="camel"):
    field: str
    mapping: Annotated[Any, about("The expression.")]
    is_default: Annotated[bool, about("Whether the expression is the action's default.")]
    sources: list[SourceJson]
    value: Annotated[Any, about("The result of the mapping; absent if it has no value.")] = UNSET


class FieldProblemJson(Struct):
    field: Annotated[str, about("The field's path; empty for the whole payload.")]
    code: Annotated[str, about("required, type, choices, format, ... or mapping, identifier.")]
    message: str


class RequestJson(Struct):
    url: str
    method: str
    headers: JsonObject
    body: str


class ResponseJson(Struct, rename="camel"):
    status_code: int
    status_message: str
    headers: JsonObject
    body: Annotated[Any, about("JSON if it can be parsed, else a string.")]


class ExchangeJson(Struct):
    request: RequestJson
    response: ResponseJson | None
    curl: Annotated[str, about("The request as a command, redacted.")]
    error: Omissible[Annotated[str, about("Why there is no response.")]] = UNSET


class ResultJson(Struct):
    outcome: Literal["delivered", "failed", "skipped", "unconfirmed", "accepted", "waiting"]
    status: Omissible[int] = UNSET
    code: Omissible[str] = UNSET
    message: Omissible[str] = UNSET
    reporter: Omissible[Literal["framework", "partner"]] = UNSET
    retryable: Omissible[bool] = UNSET
    problems: Omissible[list[str]] = UNSET
    body: Annotated[Any, about("The partner's response.")] = UNSET


class LegTriggerJson(Struct):
    text: str
    matched: bool
    reason: str
    tree: ConditionJson


class LegBatchJson(Struct):
    index: Annotated[int, about("Its index among the run's batches.")]
    key: Annotated[JsonObject, about("Fields with the same value in all its payloads.")]
    size: Annotated[int, about("How many payloads it held.")]
    reason: Annotated[
        str, about("Why it was closed: count, bytes, age, room, order, deletion or end.")
    ]
    mates: Annotated[
        list[Annotated[int, about("Position")]],
        about("The first fifty other events in it."),
    ]
    others: Annotated[int, about("How many other events are in it.")]
    preview: Annotated[Any, about("What a destination without HTTP would send.")] = UNSET


class LegJson(Struct):
    """The trace of an event in one subscription."""

    subscription: str
    action: str
    trigger: LegTriggerJson
    mapping: (
        Annotated[
            list[MappedFieldJson],
            about("null if the trigger did not match, or if the event must not be sent."),
        ]
        | None
    )
    payload: Annotated[JsonObject | None, about("The validated payload.")]
    problems: Annotated[list[FieldProblemJson], about("Why there is no payload.")]
    identifier: str | None
    batch: LegBatchJson | None
    exchanges: Annotated[
        list[ExchangeJson],
        about(
            "The exchanges of its batch. They are left out after the fiftieth event of a run; "
            "the run's `batches` contain all of them."
        ),
    ]
    result: ResultJson


class DeletionJson(Struct):
    """The stages of an event that asks to delete a user."""

    batch: LegBatchJson | None
    exchanges: list[ExchangeJson]
    result: ResultJson


class NearestJson(Struct):
    """The nearest subscription, if none matched."""

    subscription: str
    reason: Annotated[str, about("Why it did not match.")]
    changes: list[ChangeJson] | None
    text: Annotated[str, about("The same as a sentence.")]


class FilterStepJson(Struct):
    """An action of a filter on one event."""

    index: Annotated[int, about("The filter's index in the connection, from 0.")]
    filter: Annotated[str, about("The title of the filter, or its number.")]
    condition: str
    type: str
    matched: Annotated[bool, about("Whether the event meets the condition.")]
    effect: Annotated[str, about("What was done, a sentence; empty if nothing was.")]


class JourneyJson(Struct, rename="camel"):
    position: Annotated[int, about("The event's index, from 0.")]
    message_id: Any
    event: JsonObject
    outcome: Annotated[
        Literal["delivered", "failed", "skipped", "unconfirmed", "accepted"],
        about(
            "The worst of its legs: failed before unconfirmed before accepted before delivered "
            "before skipped."
        ),
    ]
    legs: Annotated[
        list[LegJson],
        about("One for each enabled subscription; none if the event asks to delete a user."),
    ]
    nearest: NearestJson | None
    deletion: DeletionJson | None
    filters: Omissible[
        Annotated[list[FilterStepJson], about("What the filters did, if there are any.")]
    ] = UNSET


class BatchJson(Struct):
    action: str
    key: JsonObject
    size: int
    reason: str
    exchanges: list[ExchangeJson]
    preview: Annotated[Any, about("What a destination without HTTP would send.")] = UNSET


class CountsJson(Struct):
    """Results of all events and subscriptions."""

    delivered: int
    failed: int
    skipped: int
    unconfirmed: Omissible[int] = UNSET
    accepted: Omissible[int] = UNSET


class OpenJobsJson(Struct):
    run: Annotated[str, about("The ID of the run.")]
    open: Annotated[int, about("The number of jobs.")]


class RunJson(Struct):
    mode: ModeName
    destination: str
    journeys: Annotated[list[JourneyJson], about("One for each event.")]
    batches: list[BatchJson]
    counts: CountsJson
    milliseconds: float
    jobs: Annotated[
        OpenJobsJson | None, about("Jobs that the partner has not finished; see `/api/jobs`.")
    ]


class DiagnosticJson(Struct):
    pointer: Annotated[str, about("JSON pointer into the connection: `/subscriptions/0/mapping`.")]
    severity: Literal["error", "warning", "hint"]
    message: str
    hint: Annotated[str, about("A correction, if it is known.")]
    code: Annotated[str, about("The code of `actions validate`; may be empty.")]
    offset: Omissible[Annotated[int, about("Character offset in a trigger, if it is known.")]] = (
        UNSET
    )


class ExampleJson(Struct):
    name: str
    title: str
    origin: Literal["generated", "saved"]
    events: list[JsonObject]


class OutcomeJson(Struct, rename="camel"):
    """A row of the outcome file, as `actions run --outcomes` writes it."""

    line: int
    message_id: Any
    subscription: str | None
    outcome: Literal[
        "delivered", "failed", "skipped", "unconfirmed", "accepted", "waiting", "rejected"
    ]


class ConnectionFileJson(Struct):
    """The connection file; secret settings are left out."""

    name: str
    file: Annotated[str, about("The file's name without its folder.")]
    path: Annotated[str, about("The file's full path.")]
    digest: Annotated[str, about("The digest of its content.")]
    kept: Annotated[list[str], about("Secret settings in the file.")]
    connection: ConnectionJson


class InstalledJson(Struct, rename="camel"):
    slug: DestinationSlug
    name: str
    description: str
    origin: Annotated[str, about("Distribution and version.")]
    actions: Annotated[list[str], about("Titles.")]
    has_sandbox: bool
