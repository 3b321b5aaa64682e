"""What people read about definitions: a destination's page, and the changes between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.catalogue.changes import (
        LEVELS,
        ChangeLevel,
        DefinitionChange,
    )
    from framework.catalogue.contract_reference import (
        contract_page,
    )
    from framework.catalogue.declarations_reference import (
        declarations_page,
    )
    from framework.catalogue.destination_page import (
        markdown_page,
    )
    from framework.catalogue.manifest_changes import (
        changes_between,
    )
    from framework.catalogue.migrated_actions import (
        resolving_steps,
    )

_EXPORTS = {
    "changes": "LEVELS DefinitionChange ChangeLevel",
    "contract_reference": "contract_page",
    "declarations_reference": "declarations_page",
    "destination_page": "markdown_page",
    "manifest_changes": "changes_between",
    "migrated_actions": "resolving_steps",
}

__all__ = [
    "LEVELS",
    "ChangeLevel",
    "DefinitionChange",
    "changes_between",
    "contract_page",
    "declarations_page",
    "markdown_page",
    "resolving_steps",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
