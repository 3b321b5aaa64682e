"""Normal forms and hashes of identifiers, as each partner documents them.

Partners differ, so there is no default normal form: a profile such as META holds one rule for each
field that the partner documents. A rule is called with a text, and returns the normal form or None:

    META.email("  John_Smith@gmail.com ")    # "john_smith@gmail.com"
    META.email("John Smith")                 # None
    META.email.reason("John Smith")          # "The email address is not of the form name@domain."
    META.email.sent("John_Smith@gmail.com")  # its SHA-256 hash; a hash is returned as it is

No rule raises an exception, whatever the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports
from framework.normalize.digests import (
    METHODS,
    Already,
    DigestMethod,
    digest,
    is_digest,
)

if TYPE_CHECKING:
    from framework.normalize.e164 import NOT_A_NUMBER, read_e164
    from framework.normalize.partners import (
        CRITEO,
        GOOGLE_ADS,
        META,
        MICROSOFT,
        PINTEREST,
        PROFILES,
        REDDIT,
        SNAP,
        TIKTOK,
        UID2,
        X,
    )
    from framework.normalize.rules import Citation, Profile, Rule, SentAs, Step, Unusable

_EXPORTS = {
    "e164": "NOT_A_NUMBER read_e164",
    "partners": "CRITEO GOOGLE_ADS META MICROSOFT PINTEREST PROFILES REDDIT SNAP TIKTOK UID2 X",
    "rules": "Citation Profile Rule SentAs Step Unusable",
}

__all__ = [
    "CRITEO",
    "GOOGLE_ADS",
    "META",
    "METHODS",
    "MICROSOFT",
    "NOT_A_NUMBER",
    "PINTEREST",
    "PROFILES",
    "REDDIT",
    "SNAP",
    "TIKTOK",
    "UID2",
    "Already",
    "Citation",
    "DigestMethod",
    "Profile",
    "Rule",
    "SentAs",
    "Step",
    "Unusable",
    "X",
    "digest",
    "is_digest",
    "read_e164",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
