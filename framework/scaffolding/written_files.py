"""Writing the distribution of a new destination, and a further action of one."""

from __future__ import annotations

import tomllib
from pathlib import Path

from framework.errors import ConfigurationError, StorageError, UnknownNameError
from framework.scaffolding.destination_kinds import KINDS
from framework.scaffolding.file_texts import action, distribution, listing
from framework.scaffolding.new_destination import NewAction, NewDestination
from framework.storage import storage


def write_destination(new: NewDestination, folder: Path) -> list[Path]:
    """Write the distribution of a destination to *folder*, which must not exist or be empty.

    Return the files. Raises StorageError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(f"`{folder}` is there already. Name another folder with --folder.")
    return [_write(folder / name, text) for name, text in distribution(new).items()]


def write_action(new: NewAction, folder: Path) -> list[Path]:
    """Add an action to the distribution in *folder*, which `write_destination` wrote.

    Return the files. Raises ConfigurationError if there is none, or if its list of actions was
    changed by hand.
    """
    package = _package_in(folder)
    names = sorted(
        file.stem
        for file in (folder / package / "actions").glob("*.py")
        if file.name not in {"__init__.py", "operation.py"}
    )
    if new.module in names:
        raise ConfigurationError(f"There is an action in `{package}/actions/{new.module}.py`.")
    listed = folder / package / "actions" / "__init__.py"
    with storage("List of actions", listed, "read"):
        current = listed.read_text(encoding="utf-8")
    if current != listing(package, names):
        raise ConfigurationError(
            f"`{listed}` was changed by hand. Restore what was generated, or write the action "
            "yourself."
        )
    module = listed.with_name(f"{new.module}.py")
    return [
        _write(module, action(package, _kind_in(folder), new)),
        _write(listed, listing(package, [*names, new.module])),
    ]


def _package_in(folder: Path) -> str:
    found = sorted(folder.glob("*/actions/operation.py"))
    if len(found) == 1:
        return found[0].parent.parent.name
    if (folder / "pyproject.toml").exists():
        raise ConfigurationError(
            f"`{folder}` has no `actions/operation.py`, to which `actions new` adds actions. Write "
            "the action yourself, or name another folder with --folder."
        )
    text = f"There is no destination in `{folder}` that `actions new` wrote."
    raise ConfigurationError(f"{text} Name its folder with --folder.")


def _kind_in(folder: Path) -> str:
    """Return the kind of a destination, as its project file names it."""
    project = folder / "pyproject.toml"
    try:
        with storage("Project file", project, "read"):
            found = tomllib.loads(project.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"`{project}` is not TOML: {error}") from None
    tool = found.get("tool", {}).get("action-destinations", {})
    kind = str(tool.get("kind", "plain"))
    if kind not in KINDS:
        raise UnknownNameError.of("kind of destination", kind, KINDS, "kinds")
    return kind


def _write(path: Path, text: str) -> Path:
    with storage("File", path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path
