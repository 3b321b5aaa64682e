"""The profiles: what each partner documents about the fields that it matches people by.

A field that is missing in a profile is one for which no documented rule was found.
"""

from __future__ import annotations

from typing import Final

from framework.normalize.rules import Citation, Profile, Rule
from framework.normalize.steps import (
    ADDRESS,
    ALPHANUMERIC_USERNAME,
    ASCII_LOWER,
    BIRTHDAY,
    CANONICAL,
    COUNTRY,
    DIGITS,
    E164,
    GENDER,
    GENDER_OR_NON_BINARY,
    GMAIL_CANONICAL,
    GMAIL_ONLY_CANONICAL,
    LETTERS_AND_DIGITS,
    LOWER,
    NO_ACCENTS,
    NO_PLUS_SIGN,
    NO_PUNCTUATION,
    NO_SPACES,
    STATE,
    STATE_CODES,
    TRIM,
    UPPER,
    ZIP_OF_FIVE,
)

_EMAIL, _PHONE = "email address", "phone number"
_META = Citation(
    "developers.facebook.com, Conversions API: Customer Information Parameters", "2026-01-09"
)
_GOOGLE = Citation("developers.google.com, Data Manager API: Format user data", "2026-11")
_SNAP = Citation("developers.snap.com, Conversions API: Parameters", "2026-11")
_PINTEREST = Citation(
    "pinterest-generated-client 0.1.10, ConversionEventsUserData (official)", "2026-11"
)
_TIKTOK = Citation(
    "@segment/action-destinations 3.497.0, fields of tiktok-conversions (TikTok's own)", "2026-11"
)
_REDDIT = Citation("Reddit's help for advertisers, Manual Advanced Matching", "2026-11")
_REDDIT_FIELDS = Citation(
    "@segment/action-destinations 3.497.0, fields of reddit-conversions-api (Reddit's own)",
    "2026-11",
)
_MICROSOFT = Citation("help.ads.microsoft.com, Format and hash the data", "2026-11")
_UID2 = Citation("unifiedid.com, Normalization and Encoding; uid2-client 2.9.0", "2026-11")
_X = Citation("developer.x.com, Custom Audiences User Data", "2026-11")
_CRITEO = Citation("Criteo's help on contact lists and user identifiers", "2026-11")


class _Meta(Profile):
    """Meta: Conversions API and custom audiences."""

    name = "Meta"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS), _META)
    phone = Rule(_PHONE, (E164, NO_PLUS_SIGN), _META)
    first_name = Rule("first name", (TRIM, LOWER, NO_PUNCTUATION), _META)
    last_name = Rule("last name", (TRIM, LOWER, NO_PUNCTUATION), _META)
    city = Rule("city", (LOWER, LETTERS_AND_DIGITS), _META)
    region = Rule("region", (LOWER, LETTERS_AND_DIGITS, STATE_CODES), _META)
    country = Rule("country", (TRIM, LOWER, COUNTRY), _META)
    postcode = Rule("postcode", (LOWER, LETTERS_AND_DIGITS, ZIP_OF_FIVE), _META)
    birthday = Rule("birthday", (TRIM, BIRTHDAY), _META)
    gender = Rule("gender", (TRIM, LOWER, GENDER), _META)
    external_id = Rule("external ID", (TRIM,), _META, note="as it is sent elsewhere")


class _GoogleAds(Profile):
    """Google: Data Manager API, Customer Match and enhanced conversions."""

    name = "Google Ads"
    email = Rule(_EMAIL, (NO_SPACES, LOWER, ADDRESS, GMAIL_CANONICAL), _GOOGLE)
    phone = Rule(_PHONE, (E164,), _GOOGLE)
    first_name = Rule("first name", (TRIM, LOWER), _GOOGLE, note="without prefixes such as Mrs.")
    last_name = Rule("last name", (TRIM, LOWER), _GOOGLE, note="without suffixes such as Jr.")
    country = Rule("country", (TRIM, UPPER, COUNTRY), _GOOGLE, "plain")
    postcode = Rule("postcode", (TRIM,), _GOOGLE, "plain")


class _Snap(Profile):
    """Snap: Conversions API."""

    name = "Snap"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS), _SNAP)
    phone = Rule(_PHONE, (E164, NO_PLUS_SIGN), _SNAP)
    first_name = Rule("first name", (TRIM, LOWER), _SNAP)
    last_name = Rule("last name", (TRIM, LOWER), _SNAP)
    city = Rule("city", (LOWER, NO_PUNCTUATION, NO_SPACES), _SNAP)
    region = Rule("region", (LOWER, NO_SPACES, STATE_CODES, STATE), _SNAP)
    country = Rule("country", (TRIM, LOWER, COUNTRY), _SNAP)
    postcode = Rule("postcode", (TRIM, LOWER, ZIP_OF_FIVE), _SNAP)
    birthday = Rule("birthday", (TRIM, BIRTHDAY), _SNAP)
    gender = Rule("gender", (TRIM, LOWER, GENDER), _SNAP)


class _Pinterest(Profile):
    """Pinterest: Conversions API."""

    name = "Pinterest"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS), _PINTEREST)
    phone = Rule(_PHONE, (E164, NO_PLUS_SIGN), _PINTEREST)
    first_name = Rule("first name", (TRIM, LOWER), _PINTEREST)
    last_name = Rule("last name", (TRIM, LOWER), _PINTEREST)
    city = Rule("city", (LOWER, NO_PUNCTUATION, NO_SPACES), _PINTEREST)
    region = Rule("region", (LOWER, NO_SPACES, STATE_CODES, STATE), _PINTEREST)
    country = Rule("country", (TRIM, LOWER, COUNTRY), _PINTEREST)
    postcode = Rule("postcode", (NO_PUNCTUATION, NO_SPACES, DIGITS), _PINTEREST)
    birthday = Rule("birthday", (TRIM, BIRTHDAY), _PINTEREST)
    gender = Rule("gender", (TRIM, LOWER, GENDER_OR_NON_BINARY), _PINTEREST)
    external_id = Rule("external ID", (TRIM,), _PINTEREST)


class _TikTok(Profile):
    """TikTok: Events API."""

    name = "TikTok"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS), _TIKTOK)
    phone = Rule(_PHONE, (E164,), _TIKTOK)
    first_name = Rule("first name", (TRIM, LOWER, NO_PUNCTUATION), _TIKTOK)
    last_name = Rule("last name", (TRIM, LOWER, NO_PUNCTUATION), _TIKTOK)
    external_id = Rule("external ID", (TRIM, LOWER), _TIKTOK)


class _Reddit(Profile):
    """Reddit: Conversions API and pixel."""

    name = "Reddit"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS, ALPHANUMERIC_USERNAME), _REDDIT)
    phone = Rule(_PHONE, (E164,), _REDDIT_FIELDS)
    external_id = Rule("external ID", (TRIM,), _REDDIT_FIELDS)


class _Microsoft(Profile):
    """Microsoft Advertising: customer match and enhanced conversions."""

    name = "Microsoft Advertising"
    email = Rule(_EMAIL, (NO_SPACES, LOWER, NO_ACCENTS, ADDRESS, CANONICAL), _MICROSOFT)
    phone = Rule(_PHONE, (E164,), _MICROSOFT)


class _Uid2(Profile):
    """Unified ID 2.0 and EUID."""

    name = "UID2"
    email = Rule(_EMAIL, (TRIM, ASCII_LOWER, ADDRESS, GMAIL_ONLY_CANONICAL), _UID2, "base64")
    phone = Rule(_PHONE, (E164,), _UID2, "base64")


class _XProfile(Profile):
    """X: custom audiences."""

    name = "X"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS), _X)


class _Criteo(Profile):
    """Criteo: contact lists."""

    name = "Criteo"
    email = Rule(_EMAIL, (TRIM, LOWER, ADDRESS), _CRITEO)
    phone = Rule(_PHONE, (E164,), _CRITEO)


META: Final = _Meta()
GOOGLE_ADS: Final = _GoogleAds()
SNAP: Final = _Snap()
PINTEREST: Final = _Pinterest()
TIKTOK: Final = _TikTok()
REDDIT: Final = _Reddit()
MICROSOFT: Final = _Microsoft()
UID2: Final = _Uid2()
X: Final = _XProfile()
CRITEO: Final = _Criteo()

PROFILES: Final[tuple[Profile, ...]] = (
    META,
    GOOGLE_ADS,
    SNAP,
    PINTEREST,
    TIKTOK,
    REDDIT,
    MICROSOFT,
    UID2,
    X,
    CRITEO,
)
"""Every profile."""
