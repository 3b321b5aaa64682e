"""Which version this is; the project file reads it from here."""

from typing import Final

VERSION: Final = "0.1.0"
