"""What the page asks a partner apart from events: choices, hooks of mappings, audiences.

The functions are those of `actions choices`, `save-mapping` and `audience create`, `get`, `unlink`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Final

from framework.definition import constant_fields
from framework.delivery import ChoicesQuery, Connection
from framework.errors import ConfigurationError, FrameworkError, IntegrationError
from framework.explain import exchange_to_json, hidden
from framework.paths import JSON
from framework.tester import api_types as api
from framework.tester.api_types import about
from framework.tester.operation import ApiRequest, Operation, View, record
from framework.tester.problems_json import ApiRefusal
from framework.tester.workspace import Chosen, Mode

_CHOICE: Any = record("DynamicChoice", "description", value=Any, label=str, description=str)
_SHORT: Final = 500
_SETTINGS: Final = Annotated[api.JsonObject, about("The settings of the audience.")]
_AUDIENCE: Final = record(
    "AudienceAnswer",
    externalId=Annotated[str | None, about("The ID at the partner; null if it is forgotten.")],
    known=Annotated[bool, about("Whether an ID is known now, or was before it was forgotten.")],
)


def _text(description: str) -> Any:
    return Annotated[str, about(description, max_length=_SHORT)]


OPERATIONS: Final = (
    Operation(
        "choices",
        "POST /api/choices",
        (404, 409),
        "Ask for one page of the choices of a dynamic field.",
        record(
            "DynamicChoices",
            "error",
            choices=list[_CHOICE],
            nextPage=Annotated[str, about("Give it as `page` for more; empty after the last.")],
            error=Annotated[
                record("ChoicesProblem", code=str, message=str),
                about("Why there are no choices."),
            ],
        ),
        record(
            "ChoicesBody",
            *("mode", "hook", "search", "page", "payload", "key", "index", "inputs"),
            "audienceSettings",
            connection=api.ConnectionJson,
            mode=api.ModeName,
            action=Annotated[str | None, about("The slug of an action; null: of the settings.")],
            place=_text("The place of the field, such as `list_id` or `items[].sku`."),
            hook=_text("The kind of the hook among whose inputs the field is."),
            search=_text("What the user has typed."),
            page=_text("A page, as the one before names it."),
            payload=Annotated[api.JsonObject, about("Values that are filled in so far.")],
            key=_text("The key of an object whose values are asked for."),
            index=Annotated[int, about("The place of an item in a list, from 0.", ge=0)],
            inputs=Annotated[api.JsonObject, about("The inputs of the hook so far.")],
            audienceSettings=_SETTINGS,
        ),
    ),
    Operation(
        "saveMapping",
        "POST /api/save-mapping",
        (404, 409),
        "Run a hook of an action, as when its mapping is saved. In live mode its outputs are kept "
        "beside the connection file, if the subscription is in it.",
        record(
            "MappingSaved",
            message=str,
            saved=Annotated[
                record("HookOutputs", inputs=api.JsonObject, outputs=api.JsonObject),
                about("What a mapping holds under the kind of the hook."),
            ],
            kept=Annotated[bool, about("Whether it is kept beside the connection file.")],
            exchanges=list[api.ExchangeJson],
        ),
        record(
            "SaveMappingBody",
            *("mode", "inputs"),
            connection=api.ConnectionJson,
            mode=api.ModeName,
            index=Annotated[int, about("The subscription's index in the connection.", ge=0)],
            kind=_text("The kind of the hook."),
            inputs=Annotated[api.JsonObject, about("The inputs by key.")],
        ),
    ),
    Operation(
        "createAudience",
        "POST /api/audiences/create",
        (404, 409),
        "Create an audience at the partner, unless its ID is known. Events with its key use it.",
        _AUDIENCE,
        record(
            "CreateAudienceBody",
            *("mode", "name", "settings"),
            connection=api.ConnectionJson,
            mode=api.ModeName,
            key=Annotated[str, about("Its key in events.", min_length=1, max_length=_SHORT)],
            name=_text("Its name at the partner. Default: the key."),
            settings=_SETTINGS,
        ),
    ),
    Operation(
        "getAudience",
        "POST /api/audiences/get",
        (404, 409),
        "Ask the partner for an audience by its ID there.",
        _AUDIENCE,
        record(
            "GetAudienceBody",
            *("mode", "settings"),
            connection=api.ConnectionJson,
            mode=api.ModeName,
            externalId=Annotated[
                str, about("The ID at the partner.", min_length=1, max_length=_SHORT)
            ],
            settings=_SETTINGS,
        ),
    ),
    Operation(
        "unlinkAudience",
        "POST /api/audiences/unlink",
        (404, 409),
        "Forget the known ID of an audience. Nothing changes at the partner.",
        _AUDIENCE,
        record(
            "UnlinkAudienceBody",
            *("mode", "settings"),
            connection=api.ConnectionJson,
            mode=api.ModeName,
            key=_text("Its key in events."),
            settings=_SETTINGS,
        ),
    ),
)


def _choices(call: ApiRequest) -> JSON:
    body = call.body
    query = ChoicesQuery(
        payload=body.get("payload", {}),
        page=body.get("page"),
        search=body.get("search"),
        selected_key=body.get("key"),
        selected_index=body.get("index"),
        audience_settings=body.get("audienceSettings", {}),
        hook_inputs=body.get("inputs", {}),
    )
    with _asking(call) as connection:
        found = connection.choices(body["action"], body["place"], query, hook=body.get("hook"))
        return hidden(found.to_json(), connection.redactor.hide)


def _save_mapping(call: ApiRequest) -> JSON:
    chosen, body = _chosen(call), call.body
    if body["index"] >= len(chosen.subscriptions):
        raise ApiRefusal(404, "UNKNOWN_SUBSCRIPTION", "There is no such subscription.")
    subscription, kind = chosen.subscriptions[body["index"]], body["kind"]
    with _asking(call) as connection:
        with connection.recorder.recording() as exchanges:
            saved = connection.save_mapping(
                subscription.action,
                kind,
                body.get("inputs", {}),
                payload=constant_fields(subscription.mapping),
            )
        hide = connection.redactor.hide
    outputs = saved.to_json()
    return {
        "message": saved.message,
        "saved": hidden(outputs, hide),
        "kept": _mode(call) == "live"
        and call.workspace.keep_outputs(chosen, subscription, {kind: outputs}),
        "exchanges": [hidden(exchange_to_json(one), hide) for one in exchanges],
    }


def _create_audience(call: ApiRequest) -> JSON:
    body = call.body
    with _asking(call) as connection:
        settings, name = body.get("settings", {}), body.get("name") or None
        found = connection.create_audience(body["key"], settings, name=name)
        return {"externalId": connection.redactor.hide(found), "known": True}


def _get_audience(call: ApiRequest) -> JSON:
    with _asking(call) as connection:
        found = connection.get_audience(call.body["externalId"], call.body.get("settings", {}))
        return {"externalId": connection.redactor.hide(found), "known": True}


def _unlink_audience(call: ApiRequest) -> JSON:
    with _asking(call) as connection:
        known = connection.unlink_audience(call.body["key"], call.body.get("settings", {}))
    return {"externalId": None, "known": known}


def _chosen(call: ApiRequest) -> Chosen:
    return call.workspace.choose(call.body["connection"])


def _mode(call: ApiRequest) -> Mode:
    slug = call.body["connection"]["destination"]
    mode: Mode = call.body.get("mode") or call.workspace.default_mode(slug)
    return mode


@contextmanager
def _asking(call: ApiRequest) -> Iterator[Connection]:
    """Open a connection without subscriptions, to ask the partner or its sandbox something.

    Raises ApiRefusal in dry mode, which asks nobody, and for what the partner refuses.
    """
    chosen, mode = replace(_chosen(call), subscriptions=()), _mode(call)
    if mode == "dry":
        message = "A dry run sends no requests. Choose the sandbox, or the live partner."
        raise ApiRefusal(409, "DRY_RUN", message)
    with call.workspace.open(chosen, mode) as connection:
        hide = connection.redactor.hide
        try:
            yield connection
        except IntegrationError as error:
            raise ApiRefusal(400, error.code, hide(str(error))) from None
        except ConfigurationError as error:  # of inputs, names and settings
            problems = [hide(one) for one in getattr(error, "problems", ())]
            raise ApiRefusal(400, "INVALID", hide(str(error)), problems) from None
        except FrameworkError as error:
            raise ApiRefusal(409, "NOT_KEPT", hide(str(error))) from None


VIEWS: Final[Mapping[str, View]] = {
    "choices": _choices,
    "saveMapping": _save_mapping,
    "createAudience": _create_audience,
    "getAudience": _get_audience,
    "unlinkAudience": _unlink_audience,
}
"""The function of each operation."""
