"""Settings are shaped like payloads; all problems are reported, but no secret."""

from __future__ import annotations

from typing import Any

import pytest

from framework.definition import Field, Settings, field, shape_settings
from framework.errors import SettingsError


class Access(Settings):
    """How to get in."""

    advertiser_id: str = field("Advertiser", pattern=r"^\d+$")
    client_secret: str = field("Secret", secret=True, pattern="^s-")
    region: str = field("Region", default="eu", choices=("eu", "us"))
    limit: int | None = field("Limit", minimum=1)


def test_settings_become_an_instance() -> None:
    raw = {"advertiser_id": 12345, "client_secret": "s-1", "limit": "5", "oauth": {"a": 1}}

    assert shape_settings(Access, raw) == Access(
        advertiser_id="12345", client_secret="s-1", limit=5
    )


def test_a_table_without_a_class_gives_a_dict() -> None:
    assert shape_settings({"a": Field(type="number")}, {"a": "5", "b": 1}) == {"a": 5}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"advertiser_id": "abc"}, r'Setting `advertiser_id` must match `^\d+$`, got "abc".'),
        ({"advertiser_id": {}}, "Setting `advertiser_id` must be a string, got {}."),
        ({"advertiser_id": ""}, "Setting `advertiser_id` is required."),
        ({"client_secret": "hunter2"}, "Setting `client_secret` must match `^s-`, got (secret)."),
        ({"client_secret": ["a", "b"]}, "Setting `client_secret` must be a string, got (secret)."),
        ({"region": "é"}, 'Setting `region` must be "eu" or "us", got "é".'),
        ({"limit": "0"}, "Setting `limit` must be at least 1, got 0."),
        ({"limit": "x"}, 'Setting `limit` must be an integer or null, got "x".'),
    ],
)
def test_invalid_settings_are_shown_unless_secret(raw: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        shape_settings(Access, {"advertiser_id": "1", "client_secret": "s-1", **raw})

    assert caught.value.problems == (problem,)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        shape_settings(Access, {"region": "mars"})

    assert str(caught.value) == (
        "Setting `advertiser_id` is required. Setting `client_secret` is required. "
        'Setting `region` must be "eu" or "us", got "mars".'
    )
