"""Sending the whole list of an audience to a partner that replaces its members by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from framework.definition import Subscription
from framework.delivery.compiled import CompiledSubscription, compile_subscriptions
from framework.delivery.holding import Patience
from framework.delivery.member_subscriptions import MEMBER_PAYLOAD, constants_of, identified
from framework.delivery.pipeline import Connection
from framework.delivery.report import Completion
from framework.errors import ConfigurationError
from framework.paths import Event
from framework.results import Failed

_PROBE: Final = "a@example.com"


class FullList:
    """The list of one audience, for a destination whose audiences are sent as a whole.

    *name* is the key of the audience. `connection` has one subscription, to the action that adds
    people; it shares everything else with the connection that it is made from. `halted` is the
    failure that ended the sending, and `left` the number of people without a result.
    Raises ConfigurationError for a destination without `full_sync`, and for one that cannot make
    payloads for people.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        plugin, rules = connection.plugin, connection.plugin.definition.audience
        if not (rules and rules.full_sync):
            raise ConfigurationError(
                f"{plugin.definition.name} does not take whole lists of audiences."
            )
        self._plugin = plugin
        self._settings = connection.settings
        self._name = name
        self._adding = self._choose(connection.subscriptions)
        one = Subscription(
            action=self._adding.action.slug,
            trigger='type = "track"',
            mapping={
                key: {"@path": f"$.context.person.{key}"} for key in self._adding.action.fields
            },
        )
        compiled = compile_subscriptions(plugin.definition, [one])
        self.connection = Connection(plugin, connection.settings, compiled, connection.hook_runner)
        self.connection.audiences = connection.audiences
        self.halted: Failed | None = None
        self.left = 0

    def read(self, texts: Sequence[str]) -> list[Failed | None]:
        """Return for each text why it is not an identifier, or None; nothing is sent."""
        intake = self.connection.intake(named=False)
        found: list[Failed | None] = [None] * len(texts)
        completions = intake.add([*map(self.event, texts)], range(len(texts)))
        for _ in identified(intake, completions):
            pass
        for one in completions:
            if isinstance(one.result, Failed):
                for position in one.positions:
                    found[position] = one.result
        return found

    def send(
        self,
        texts: Iterable[Sequence[str]],
        size: int,
        *,
        patience: Patience | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[list[Completion]]:
        """Send a list of *size* texts, many at a time; yield completions.

        The last call has `full_list`, unless somebody before it was not delivered: the partner
        would remove that person.
        """
        sender = self.connection.stream(patience=patience, stopping=stopping, named=False)
        end = self.connection.hook_runner.list_end
        end.begin(size)
        first = 0
        try:
            for some in texts:
                events = [*map(self.event, some)]
                completions = sender.intake.add(events, range(first, first + len(some)))
                first += len(some)
                yield from end.counted(sender.add_from_intake(completions))
                if sender.halted or stopping():
                    break
            else:
                yield from end.counted(sender.flush())
            yield from end.counted(sender.close())
        except BaseException:
            sender.drop()
            raise
        finally:
            end.begin(0)
        self.halted = sender.halted or (sender.holds.resting() if sender.holds else None)
        self.left = sum(len(one) for spans in sender.pending().values() for one in spans)

    def event(self, identifier: str) -> Event:
        """Return the event by which `connection` adds somebody to the audience."""
        personas = {"computation_key": self._name, "computation_class": "audience"}
        person = self._payload(self._adding, identifier)
        return {
            "type": "track",
            "event": "Audience Entered",
            "properties": {self._name: True},
            "context": {"personas": personas, "person": person},
        }

    def _choose(self, subscriptions: Sequence[CompiledSubscription]) -> CompiledSubscription:
        if not self._plugin.implements(MEMBER_PAYLOAD):
            raise ConfigurationError(
                f"{self._plugin.definition.name} cannot add people without an event: it has no "
                f"hook `{MEMBER_PAYLOAD}`."
            )
        for one in subscriptions:
            if one.action.membership is not False and self._payload(one, _PROBE) is not None:
                return one
        raise ConfigurationError("No subscription of the connection adds people to audiences.")

    def _payload(self, compiled: CompiledSubscription, identifier: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._plugin.call(
            MEMBER_PAYLOAD,
            action=compiled.action,
            settings=self._settings,
            audience_name=self._name,
            naming="",
            identifier=identifier,
            fixed=constants_of(compiled),
        )
        return found
