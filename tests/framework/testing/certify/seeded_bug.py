"""A bug for a healthy plugin: a mistake that authors make, as a small change of its source.

A change replaces text that occurs in the file; a healthy plugin with a bug is imported as a module
of its own.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[4]
PLUGINS = ROOT / "tests" / "plugins"
PLACES = {
    "acme_crm": PLUGINS / "acme_crm" / "acme_crm.py",
    "acme_crm_sandbox": PLUGINS / "acme_crm" / "acme_crm_sandbox.py",
    "acme_webhook": PLUGINS / "acme_webhook" / "acme_webhook.py",
    "acme_ads": PLUGINS / "acme_ads" / "acme_ads.py",
    "acme_bulk": PLUGINS / "acme_bulk" / "acme_bulk.py",
    "acme_sink": PLUGINS / "acme_sink" / "acme_sink.py",
    "acme_sink_sandbox": PLUGINS / "acme_sink" / "acme_sink_sandbox.py",
    "webhook": ROOT / "destinations" / "webhook" / "__init__.py",
    "criteo_audiences": ROOT / "destinations" / "criteo_audiences" / "actions.py",
    "criteo_api": ROOT / "destinations" / "criteo_audiences" / "api.py",
}


@dataclass(frozen=True)
class Bug:
    """A mistake: what it is, the check that finds it, its file, and pairs of old and new text."""

    name: str
    check: str
    file: str
    changes: tuple[tuple[str, str], ...]

    @property
    def plugin_name(self) -> str:
        """The name of the healthy plugin."""
        return {"criteo_api": "criteo_audiences"}.get(self.file, self.file.removesuffix("_sandbox"))

    def plugin(self, folder: Path) -> ModuleType:
        """Import the plugin with this bug, written to *folder*."""
        if self.file.startswith(("webhook", "criteo")):
            return self._package(folder)
        name = f"bug_{self.name.replace('-', '_')}"
        text = PLACES[self.file].read_text()
        if self.file.endswith("_sandbox"):
            (folder / f"{name}_sandbox.py").write_text(self.applied(text))
            main = PLACES[self.plugin_name].read_text()
            text = main.replace(self.file, f"{name}_sandbox")
        else:
            text = self.applied(text)
        (folder / f"{name}.py").write_text(text)
        return self._imported(folder, name)

    def applied(self, text: str) -> str:
        """Return the source with the bug; each old text has to be there."""
        for old, new in self.changes:
            assert old in text, (self.name, old)
            text = text.replace(old, new)
        return text

    def _package(self, folder: Path) -> ModuleType:
        file = PLACES[self.file]
        name = f"bug_{self.name.replace('-', '_')}"
        shutil.copytree(file.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for source in (folder / name).rglob("*.py"):
            text = source.read_text()
            if source.relative_to(folder / name) == file.relative_to(file.parent):
                text = self.applied(text)
            source.write_text(text.replace(f"destinations.{file.parent.name}", name))
        return self._imported(folder, name)

    def _imported(self, folder: Path, name: str) -> ModuleType:
        for place in (folder, PLACES[self.plugin_name].parent):
            if str(place) not in sys.path:
                sys.path.insert(0, str(place))
        importlib.invalidate_caches()
        return importlib.import_module(name)
