"""Texts of the contract of authors: when hooks are called, and what arguments mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from framework.definition import (
    Action,
    Aliases,
    AudienceCall,
    Audiences,
    Batching,
    ChangeMapping,
    ChoicesCall,
    Destination,
    FindJobCall,
    HookCall,
    Job,
    MappingHook,
    PollCall,
)


class ArgumentText(NamedTuple):
    """What an argument means; *type* replaces the annotation where that is too general."""

    meaning: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class HookText:
    """When a hook is *called*, what *errors* of it become, and an *example* in Python."""

    called: str
    errors: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class FunctionText:
    """A function that is the attribute *name* of a declared value of class *owner*.

    *signature* is how it is called, *call* the class of the object that it gets, if it gets one.
    """

    owner: type
    name: str
    signature: str
    purpose: str
    called: str
    returns: str
    errors: str
    call: type | None = None


_DEFINITION: Final = (
    "The plugin is left out and reported by `actions list` with file and line; other plugins are "
    "not affected."
)
_FAILS: Final = (
    "An IntegrationError, also one that `client` raises, becomes the `Failed` result of the event; "
    "any other exception becomes `Failed 500 INTERNAL_ERROR`. See [results.md](results.md)."
)
_FAILS_BATCH: Final = _FAILS.replace("of the event", "of every payload of the batch")
_FOR_COMMAND: Final = "The command ends with the message of the exception."

HOOK_TEXTS: Final[Mapping[str, HookText]] = MappingProxyType(
    {
        "destination": HookText("Once, when the plugin is loaded.", _DEFINITION),
        "settings": HookText("Once, when the plugin is loaded.", _DEFINITION),
        "actions": HookText("Once, when the plugin is loaded.", _DEFINITION),
        "auth": HookText(
            "Once, when a connection is opened.",
            "No connection opens.",
            "def auth(settings: Account) -> httpx.Auth:\n    return bearer(settings.token)",
        ),
        "refresh": HookText(
            "When a token is needed: at the first request, before the last one expires, and once "
            "after a 401.",
            "An IntegrationError concerns the connection: a run stops or waits, and its events "
            "stay open. A partner that answers 400 refuses the refresh token, as with 401.",
            "def refresh(client: httpx.Client, refresh_token: str) -> RefreshedToken:\n"
            '    old = {"refresh": refresh_token}\n'
            '    new = json_body(client.post("https://api.acme.com/session", json=old))\n'
            '    return RefreshedToken(new["access"], new["refresh"], expires_in=new["seconds"])',
        ),
        "check_authentication": HookText(
            "By `actions check-auth`, by the local web page, and by "
            "`Connection.check_authentication`.",
            "An exception means that access is refused; its message is shown without secrets.",
            "def check_authentication(client: httpx.Client) -> None:\n"
            '    client.get("https://api.acme.com/me")',
        ),
        "check_connection": HookText(
            "By `actions check-auth`, and by `Connection.check_connection`; it only reads.",
            "What it raises is a failed check.",
            "def check_connection(client: httpx.Client) -> list[ConnectionCheck]:\n"
            '    lists = json_body(client.get("https://api.acme.com/lists"))\n'
            '    return [ConnectionCheck("lists", f"There are {len(lists)} lists.")]',
        ),
        "extend_request": HookText(
            "Before each call that gets a `client`.",
            _FAILS,
            "def extend_request(settings: Account) -> RequestOptions:\n"
            '    return RequestOptions(headers={"x-account": settings.account})',
        ),
        "describe_error": HookText(
            "For every response that is not successful.",
            "A wrong result or an exception is logged; the response is then described by its "
            "status.",
            "def describe_error(response: httpx.Response) -> tuple[str, str]:\n"
            "    error = json_body(response)\n"
            '    return error["reason"], error["text"]',
        ),
        "identify": HookText(
            "For rows of one action together, before they are grouped into batches.",
            _FAILS.replace("of the event", "of each of the rows"),
            "def identify(payloads: Sequence[Contact]) -> list[str]:\n"
            "    return [one.email.strip().lower() for one in payloads]",
        ),
        "perform": HookText(
            "Once for each payload of an action without `batching`, or if there is no "
            "`perform_batch`.",
            _FAILS,
            "def perform(client: httpx.Client, payload: Contact) -> httpx.Response:\n"
            '    person = {"email": payload.email}\n'
            '    return client.post("https://api.acme.com/contacts", json=person)',
        ),
        "perform_batch": HookText(
            "Once for each batch of an action with `batching`.",
            _FAILS_BATCH,
            "def perform_batch(client: httpx.Client, payloads: Sequence[Contact]) -> Any:\n"
            '    people = {"people": [one.email for one in payloads]}\n'
            '    answer = json_body(client.post("https://api.acme.com/contacts", json=people))\n'
            '    refused = Failed(400, "REFUSED", "The person is refused.", "partner")\n'
            "    return [DELIVERED if one else refused for one in answer]",
        ),
        "open_resource": HookText(
            "Once for a connection, before the first call that asks for `resource`.",
            _FAILS_BATCH,
            "def open_resource(settings: Account) -> AbstractContextManager[Any]:\n"
            '    return open(settings.path, "a")',
        ),
        "preview": HookText(
            "In dry runs and `actions explain`, in place of `perform` and `perform_batch`, if the "
            'destination has `transport="other"`.',
            _FAILS_BATCH,
            'def preview(payloads: Sequence[Contact]) -> Any:\n    return {"rows": len(payloads)}',
        ),
        "sandbox": HookText(
            "By `actions sandbox`, `run --sandbox`, `run --dry-run`, `explain`, `test`, `serve` "
            "and `certify`, and by `Harness`.",
            _FOR_COMMAND,
        ),
        "member_payload": HookText(
            "For each person, by `actions audience mirror` and `repair`.", _FOR_COMMAND
        ),
        "audience_size": HookText("By `actions audience drift`.", _FOR_COMMAND),
        "delete_users": HookText(
            "For events of type `delete`, and by `actions delete`.",
            _FAILS_BATCH.replace("payload of the batch", "request"),
            "def delete_users(client: httpx.Client, requests: Sequence[DeletionRequest]) -> None:\n"
            "    ids = [one.user_id or one.anonymous_id for one in requests]\n"
            '    client.post("https://api.acme.com/deletions", json=ids)',
        ),
        "register_directives": HookText("Once, when the plugin is loaded.", _DEFINITION),
        "batch_finished": HookText(
            "After each batch, in deliveries, runs and relays.",
            "An exception is logged and changes nothing.",
            "def batch_finished(report: BatchReport) -> None:\n"
            '    logging.info("%s results", len(report.results))',
        ),
    }
)
"""The texts of each hook, in the order of its page."""

ARGUMENT_TEXTS: Final[Mapping[str, ArgumentText]] = MappingProxyType(
    {
        "action": ArgumentText("The action that is performed."),
        "audience": ArgumentText(
            "The audience that the event is about, with its ID at the partner; None without "
            "`Destination.audience` or if the event is about none.",
            "AudienceCall | None",
        ),
        "audience_name": ArgumentText(
            "The name of the audience, as in the `Target` of the batching rules."
        ),
        "audience_settings": ArgumentText(
            "What the user has chosen for the audience, from `context.personas.audience_settings`."
        ),
        "cache": ArgumentText(
            "Values in memory for as long as the connection: `get`, `set` and `set_if_absent` with "
            "a time to live in seconds, `delete`.",
            "Cache",
        ),
        "client": ArgumentText(
            "Sends requests with the credentials of `auth` (in `refresh` with none), within the "
            "rate limit, with retries; raises IntegrationError for a response that is not "
            "successful."
        ),
        "clock": ArgumentText(
            "The time, in seconds: `time`, `monotonic`, and `sleep`, which ends with `stop`."
        ),
        "columns": ArgumentText(
            "The payloads by field; if only these are used, no payload object is made.", "Columns"
        ),
        "confide": ArgumentText("Takes a text that is a secret, which is then redacted."),
        "event": ArgumentText("The original event; do not change it."),
        "events": ArgumentText(
            "The original events of the payloads, in the same order; do not change them."
        ),
        "features": ArgumentText(
            "The feature flags of the connection by name, from `features` in its file: texts, "
            "numbers, booleans or None."
        ),
        "fixed": ArgumentText("The constants in the mapping of the subscription, by field."),
        "forget_members": ArgumentText(
            "To be called if the audience does not exist at the partner any more, or was created."
        ),
        "full_list": ArgumentText(
            "True for the last call of a whole list, see `Audiences.full_sync`: everybody who was "
            "not sent since its beginning is to be removed."
        ),
        "hook_outputs": ArgumentText(
            "The outputs of the mapping hooks of the subscription, by kind: typed, or None."
        ),
        "idempotency_key": ArgumentText(
            "A text that is equal whenever the same events are sent again, as SHA-256 in hex."
        ),
        "identifier": ArgumentText(
            "What `identify` has returned for the payload; None without that hook."
        ),
        "identifiers": ArgumentText("What `identify` has returned for each payload."),
        "key": ArgumentText("The values of the batch keys, by field."),
        "logger": ArgumentText("Writes to the log of the command, without secrets and addresses."),
        "matching_key": ArgumentText(
            "The field by which warehouse rows are identified, if the subscription names one."
        ),
        "membership": ArgumentText(
            "True if the event adds to an audience, False if it removes, None if neither.",
        ),
        "memberships": ArgumentText("The membership of each payload: True, False or None."),
        "metrics": ArgumentText(
            'Counts what the destination does: `metrics.count("rows", 3, kind="new")`. The counts '
            "are shown by `/metrics` of the relay, the summary of a run and the harness. Use few "
            "names and few short values of labels, without personal data: above 50 names and 100 "
            "different labels of a name, the rest is counted as `other` and `OTHER`.",
            "PluginMetrics",
        ),
        "naming": ArgumentText(
            "How the audience is named, such as `name` or `id`; empty if the destination chooses."
        ),
        "payload": ArgumentText(
            "The payload: an instance of the payload class, or a dictionary for a field table.",
            "your Payload class",
        ),
        "payloads": ArgumentText(
            "The payloads: instances of the payload class, or dictionaries for a field table.",
            "Sequence[your Payload class]",
        ),
        "refresh_token": ArgumentText(
            "The configured refresh token, or the last one that replaced it."
        ),
        "report": ArgumentText("The results of the batch, without events.", "BatchReport"),
        "requests": ArgumentText(
            "The users: `user_id` and `anonymous_id`, of which one may be None, and the `event`.",
            "Sequence[DeletionRequest]",
        ),
        "resource": ArgumentText("What `open_resource` has opened; None without that hook."),
        "response": ArgumentText("The response that is not successful."),
        "settings": ArgumentText(
            "The settings of the connection: an instance of the settings class, or a dictionary.",
            "your Settings class",
        ),
        "store": ArgumentText(
            "Few and small JSON values that last across commands and processes: `get`, `put`, "
            "`create` (only if absent), `delete`, and `lock`. They are kept in `NAME.state.json` "
            "beside the connection file, or in the store of the relay; in dry runs and with the "
            "sandbox they last as long as the connection. Keep no personal data there.",
            "PluginStore",
        ),
        "subscription": ArgumentText(
            "The subscription that the event has matched: `name`, `id` (empty without one) and "
            "`mapping` as it is saved, without default mappings. It cannot be changed: objects are "
            "read-only, lists are tuples. Payloads of several subscriptions are then not sent "
            "together.",
        ),
        "stop": ArgumentText("Set when the call has to end.", "threading.Event"),
        "sync_mode": ArgumentText(
            "The sync mode of the subscription: `add`, `update`, `upsert`, `delete` or `mirror`; "
            "None if the action has none."
        ),
    }
)
"""The meaning of each argument of hooks; it is the same for all of them."""

FUNCTION_TEXTS: Final = (
    FunctionText(
        Action,
        "dynamic",
        "dynamic={place: function}; function(call)",
        "Returns the choices of a dynamic field.",
        "By the local web page, `actions choices`, `Connection.choices` and `Harness.choices`. "
        "A place is a field, such as `list_id`, `address.country`, `items[].sku`, "
        "`properties.__keys__` or `properties.__values__`.",
        "`Choices([Choice(value, label), ...], next_page=None)`.",
        "An IntegrationError becomes the `error` of the choices; so does a wrong result, with code "
        "`CHOICES_TYPE`.",
        ChoicesCall,
    ),
    FunctionText(
        Destination,
        "dynamic_settings",
        "dynamic_settings={place: function}; function(call)",
        "Returns the choices of a dynamic setting.",
        "As for `Action.dynamic`.",
        "As for `Action.dynamic`.",
        "As for `Action.dynamic`.",
        ChoicesCall,
    ),
    FunctionText(
        MappingHook,
        "run",
        "run(call)",
        "Does something at the partner when a mapping is saved, such as creating a list.",
        "By `actions save-mapping`, the local web page, `Connection.save_mapping` and "
        "`Harness.save_mapping`.",
        "`Saved(outputs, message)`. The outputs are kept, and hooks get them as `hook_outputs`.",
        "An IntegrationError is shown; nothing is kept. Outputs that do not fit their class: code "
        "`HOOK_OUTPUT`.",
        HookCall,
    ),
    FunctionText(
        MappingHook,
        "dynamic",
        "dynamic={place: function}; function(call)",
        "Returns the choices of a dynamic input.",
        "As for `Action.dynamic`, with the kind of the hook.",
        "As for `Action.dynamic`.",
        "As for `Action.dynamic`.",
        ChoicesCall,
    ),
    FunctionText(
        Audiences,
        "create",
        "create(call)",
        "Creates an audience at the partner.",
        "Once for an audience of the host whose ID is not known, before its first event is sent; "
        "by `actions audience create`, `Connection.create_audience` and `Harness.create_audience`.",
        "The ID of the audience at the partner, a text that is not empty.",
        "The waiting events fail with code `AUDIENCE_NOT_CREATED` and the status of the exception.",
        AudienceCall,
    ),
    FunctionText(
        Audiences,
        "get",
        "get(call)",
        "Checks that an audience exists.",
        "For a kept ID, before its first use in a process; by `actions audience get`, "
        "`Connection.get_audience` and `Harness.get_audience`.",
        "The ID, or None if the audience does not exist any more; it is then created again.",
        "The waiting events fail with the exception; 404 means that the audience does not exist.",
        AudienceCall,
    ),
    FunctionText(
        Action,
        "poll",
        "poll(call)",
        "Asks for the state of a job; see [jobs.md](jobs.md).",
        "After `perform` or `perform_batch` has returned `Accepted`, as `Action.job` says.",
        "`Pending(after=None)`, or what `perform_batch` may return.",
        "After an exception with a retryable status, the job is asked for again; any other one "
        "fails its events.",
        PollCall,
    ),
    FunctionText(
        Job,
        "find_job",
        "find_job(call)",
        "Finds the job of a batch that may have been submitted before a crash.",
        "After a crash between submitting a batch and storing its ticket.",
        "The ticket, or None if there is no job with that key; the batch is then submitted again.",
        "As for `Action.poll`.",
        FindJobCall,
    ),
    FunctionText(
        Batching,
        "merge",
        "merge(action, older, newer)",
        'Makes one payload of two about the same identifier, with `coalesce="merge"`.',
        "When a payload meets a waiting one of the same action, key and identifier.",
        "An instance of the payload class.",
        "Both events fail: with the exception, or with `RESULT_TYPE` for a wrong result.",
    ),
    FunctionText(
        Batching,
        "weigh",
        "weigh(payload)",
        "Returns the bytes that a payload adds to a request.",
        "For each payload, before it is added to a batch.",
        "A whole number from 0.",
        "The event fails: with the exception, or with `RESULT_TYPE` for a wrong result.",
    ),
    FunctionText(
        Batching,
        "target",
        "target(key)",
        "Returns what a request changes, from the values of the batch keys.",
        "For each batch key.",
        '`Target(name, naming="", scope=None)`.',
        "It must not raise an exception.",
    ),
    FunctionText(
        Aliases,
        "form_of",
        "form_of(identifiers)",
        "Returns the form that all identifiers have, such as their hash function.",
        "For each batch of an action with `Batching.aliases`.",
        "A hashable value; None if they do not have one form.",
        "It must not raise an exception.",
    ),
    FunctionText(
        Aliases,
        "canonical",
        "canonical(identifiers)",
        "Returns for each identifier the text that is equal for all its forms.",
        "For batches whose identifiers have more than one form.",
        "A list of texts, in order.",
        "It must not raise an exception.",
    ),
    FunctionText(
        Destination,
        "rates",
        "rates(settings)",
        "Returns the rate limits for the settings of a connection, such as those of a plan.",
        "When a connection is opened.",
        "A list of `Rate`.",
        "No connection opens; a wrong result raises DefinitionError.",
    ),
    FunctionText(
        ChangeMapping,
        "run",
        "run(mapping)",
        "Makes a mapping that was saved for an older version of the action a current one.",
        "By `actions validate` and when a connection is opened, for mappings whose version is "
        "older than that of its `Migration`.",
        "The mapping as an object; an equal one for a mapping that is current already.",
        "The connection is refused with ConfigurationError.",
    ),
    FunctionText(
        Destination,
        "conflicts",
        "conflicts(subscriptions)",
        "Finds subscriptions that do not fit together.",
        "When a connection is opened, and by `actions validate`.",
        "A list of `Conflict(index, message, hint, field)`; an empty list if all fit together.",
        "A connection with a conflict is refused with ConfigurationError.",
    ),
)
"""The functions that are attributes of declared values."""

ATTRIBUTE_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attempt": "The number of this question in this process, from 1.",
        "audience_settings": "What the user has chosen for the audience.",
        "client": "Sends requests with the credentials of the connection.",
        "computation_id": "The ID of the audience at the host.",
        "external_id": "The ID of the audience at the partner; None in `create`.",
        "hook_inputs": "The inputs of the mapping hook that are filled in so far.",
        "idempotency_key": "The key with which the batch was submitted.",
        "inputs": "The user's inputs: an instance of `MappingHook.inputs`.",
        "key": "The key of the audience at the host.",
        "name": "The name of the audience; by default its key.",
        "page": "What the page before gave as `next_page`; None for the first page.",
        "payload": "The values of the mapping that are known so far, by field.",
        "place": "The place of the field.",
        "search": "What the user has typed; None if nothing.",
        "selected_index": "For a field in a list: the index of its item.",
        "selected_key": "For `__values__` of an object: the key whose values are asked for.",
        "settings": "The settings of the connection.",
        "size": "The number of payloads of the batch.",
        "space": "The ID of the audience's space at the host.",
        "ticket": "The ticket of the job, from `Accepted`.",
    }
)
"""The meaning of each attribute of the objects that functions get."""
