"""What people read about definitions: a destination's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.catalogue.destination_page import (
        markdown_page,
    )

_EXPORTS = {
    "destination_page": "markdown_page",
}

__all__ = [
    "markdown_page",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
