"""Failures for what hooks return or do: wrong results, exceeded time limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from framework.definition import Action
from framework.errors import Stopped
from framework.results import Failed, Result

MAX_ABANDONED: Final = 3
"""Calls that may be given up before a connection performs nothing more."""

DELETION_LIMIT: Final = 300.0
"""Seconds for a call of `delete_users`."""

NO_IDENTIFIER: Final = Failed(
    400, "NO_IDENTIFIER", "The identifier is empty: the event does not say who it is about."
)
NO_USER: Final = Failed(
    400, "NO_IDENTIFIER", "The event names no user: it has neither `userId` nor `anonymousId`."
)


def misfit(function: str, wanted: str, found: Any) -> Failed:
    """Return the failure of a function of Batching that returns something else than *wanted*."""
    got = "nothing" if found is None else type(found).__name__
    return Failed(500, "RESULT_TYPE", f"`{function}` of Batching must return {wanted}, got {got}.")


def store_failed(error: Exception) -> Failed:
    """Return the failure of everything while the state that calls share cannot be used."""
    return Failed(503, "STORE_FAILED", str(error), scope="connection")


def late(action: Action | None, end: str) -> Failed:
    """Return the failure of a call that exceeded its time limit; *end* says what its effect is."""
    what = f"Action `{action.slug}`" if action else "Hook `delete_users`"
    limit = f"the time limit of {action.time_limit if action else DELETION_LIMIT:g} seconds"
    return Failed(408, Stopped.code, f"{what} exceeded {limit}. {end}")


def halted(slug: str) -> Failed:
    """Return the failure of everything after too many calls that are still running."""
    text = (
        f"{MAX_ABANDONED} calls of destination `{slug}` exceeded their time limits and are still "
        "running, so nothing more is sent."
    )
    return Failed(503, "HALTED", text)


def mistyped(hook: str, answer: Any) -> Failed:
    """Return the failure of a hook that returns neither results nor responses."""
    offer = "one response or a result" if hook == "perform" else "one response or a list of results"
    return Failed(
        500,
        "RESULT_TYPE",
        f"Hook `{hook}` must return nothing, {offer}, got {type(answer).__name__}.",
    )


def miscounted(hook: str, size: int, answer: Any) -> Failed:
    """Return the failure of a hook that does not return *size* results."""
    counted = isinstance(answer, list | tuple)
    got = f"{len(answer)} results" if counted else type(answer).__name__
    rows = "requests" if hook == "delete_users" else "payloads"
    return Failed(
        500,
        "RESULT_COUNT",
        f"Hook `{hook}` must return one result for each of the {size} {rows}, got {got}.",
    )


def misplaced(hook: str, found: Any) -> Failed:
    """Return the failure of a payload for which a hook returns something else."""
    wanted = "an identifier, a tuple of them or a Failed" if hook == "identify" else "a result"
    got = "nothing" if found is None else type(found).__name__
    return Failed(
        500, "RESULT_TYPE", f"Hook `{hook}` must return {wanted} for each payload, got {got} here."
    )


def several_members(count: int) -> Failed:
    """Return the failure of a payload with *count* identifiers where memberships are coalesced."""
    return Failed(
        500,
        "RESULT_TYPE",
        "Hook `identify` must return one identifier for each payload of an action with "
        f'`coalesce="membership"`, got {count} here.',
    )


def checked_accepted(action: Action, results: Sequence[Result]) -> Sequence[Result]:
    """Return results with Accepted among them, or a failure of all if no job can follow."""
    if action.poll is None:
        text = f"Action `{action.slug}` returned Accepted, but has no `poll`."
    elif any(one is not results[0] for one in results):
        text = (
            f"Action `{action.slug}` returned Accepted for rows of a batch, which has "
            "one job. Return one from `perform_batch`."
        )
    else:
        return results
    return [Failed(500, "RESULT_TYPE", text)] * len(results)
