"""AD1 to AD3: files, their structure, settings and references."""

from __future__ import annotations

from typing import Final

from framework.linting.catalogue.entries import Entry
from framework.linting.catalogue.example import HEAD, mapping, trigger

_SENDS: Final = """\
subscriptions:
  - partnerAction: sendLetter
    subscribe: type = "track"
    mapping: {address: a@b.example, text: Hello}
"""

FILES: Final = (
    Entry(
        "AD100",
        "The file cannot be read.",
        "The file does not exist, or you have no permission to read it.",
        "(a file that does not exist)\n",
        "The file cannot be read: No such file or directory.",
        "missing.yaml",
    ),
    Entry(
        "AD101",
        "The text is not valid YAML, JSON or UTF-8.",
        "Parsing stops at the first syntax error.",
        "destination: letters\n\tname: Spring\n",
        "This is not valid YAML: found character '\\t' that cannot start any token. Indent"
        " with spaces.",
    ),
    Entry(
        "AD102",
        "An object contains the same key twice.",
        "Only one of the values can take effect, and readers cannot tell which.",
        f"destination: letters\ndestination: parcels\n{_SENDS}",
        "The key `destination` is already given in line 1.",
    ),
    Entry(
        "AD103",
        "The document is too large or deep, repeats too much by aliases, or has too many findings.",
        "The limits protect against files that would exhaust the memory.",
        "destination: " + "[" * 65 + "]" * 65 + "\n",
        "The document is nested more than 64 levels deep.",
    ),
    Entry(
        "AD104",
        "An unsupported feature of YAML.",
        "Tags, multiple documents and non-string keys are not supported.",
        f"destination: !name letters\n{_SENDS}",
        "The tag `!name` is not used in connection files. Leave it out.",
    ),
    Entry(
        "AD105",
        "Check incomplete: work limit reached.",
        "A work limit keeps the check of a file below about a second; the unchecked rest may "
        "contain "
        "further problems.",
        trigger(
            '(type = "track" or type = "page") and properties.z = 1 and properties.z = 2 and '
            + " and ".join(f"(properties.a{n} > 1 or properties.b{n} > 1)" for n in range(1, 9))
        ),
        "Check incomplete: work limit reached. The rest of the trigger is not checked. Simplify "
        "it, or "
        "split the file.",
    ),
    Entry(
        "AD201",
        "A value has the wrong type.",
        "In YAML, unquoted numbers and dates are a frequent cause.",
        f"destination: letters\nname: 2024\n{_SENDS}",
        "`name` must be a string, got a number. Put it into quotes.",
    ),
    Entry(
        "AD202",
        "A required key is missing.",
        "The connection cannot deliver anything without it.",
        "destination: letters\nsubscriptions:\n  - name: Letters\n",
        "`subscriptions[0].partnerAction` is required.",
    ),
    Entry(
        "AD203",
        "A key is unknown.",
        "It would be ignored, which is rarely the intention.",
        f"destination: letters\nsetings: {{}}\n{_SENDS}",
        "A connection file has no key `setings`. Did you mean `settings`?",
    ),
    Entry(
        "AD204",
        "The same information is given twice.",
        "Reports identify subscriptions by name, and two spellings of a key may contradict each "
        "other.",
        "destination: letters\nsubscriptions:\n"
        "  - partnerAction: sendLetter\n    actionSlug: sendLetter\n",
        "`partnerAction` and `actionSlug` are the same key. Keep one of them.",
    ),
    Entry(
        "AD205",
        "There are too many subscriptions.",
        "The limit is the same as in Segment, so that connections can move in both directions.",
        "destination: letters\nsubscriptions:\n"
        + "".join(f"  - {{name: s{n}, partnerAction: sendLetter}}\n" for n in range(51)),
        "A connection has at most 50 subscriptions, got 51. Split it into two files.",
    ),
    Entry(
        "AD206",
        "There are no subscriptions.",
        "Such a connection can only check credentials.",
        "destination: letters\nsubscriptions: []\n",
        "There are no subscriptions, so nothing will be delivered.",
    ),
    Entry(
        "AD207",
        "The connection is disabled.",
        "`actions run` refuses such a file, with exit code 2, before anything is read; checks, "
        "`explain`, `test` and `serve` use it.",
        f"destination: letters\nenabled: false\n{_SENDS}",
        "The connection is disabled: `actions run` refuses it. Set `enabled: true` to deliver.",
    ),
    Entry(
        "AD208",
        "The value of a delivery option is invalid.",
        "It is out of bounds, no duration or number, or names an unusable proxy or file.",
        f"destination: letters\ndelivery:\n  rate_share: 90\n{_SENDS}",
        "`delivery.rate_share` must be from 0.01 to 1.",
    ),
    Entry(
        "AD209",
        "A destination filter is invalid.",
        "A share is outside of 0 to 1, an action has an unknown type or a key without effect, or "
        "there are too many filters.",
        'destination: letters\nfilters:\n  - if: type = "track"\n'
        f"    actions: [{{type: SAMPLE, percent: 10}}]\n{_SENDS}",
        "`filters[0].actions[0].percent` must be from 0 to 1. It is a share: write `0.1` for 10 "
        "percent.",
    ),
    Entry(
        "AD210",
        "A destination filter names a field that no event has.",
        "It would remove nothing, or sample by a value that is missing.",
        f"{HEAD}filters:\n  - if: all\n    actions:\n"
        "      - {type: DROP_PROPERTIES, fields: {propertis: [email]}}\n"
        f"{_SENDS}",
        "`$.propertis.email` does not exist in Segment's spec. Did you mean `$.properties.email`?",
    ),
    Entry(
        "AD301",
        "An environment variable is not set.",
        "Secrets are read from the environment together with the file; set the variable first.",
        f"destination: letters\nsettings:\n  key: ${{env:NO_SUCH_KEY}}\n{_SENDS}",
        "The environment variable `NO_SUCH_KEY` is not set. "
        "Set it, as in `export NO_SUCH_KEY=...`, or use `${file:PATH}`.",
    ),
    Entry(
        "AD302",
        "A referenced file cannot be read.",
        "Paths are relative to the folder of the connection file.",
        f"destination: letters\nsettings:\n  key: ${{file:no-such-file}}\n{_SENDS}",
        "The file `no-such-file` cannot be read: No such file or directory.",
    ),
    Entry(
        "AD303",
        "A reference has an unknown kind.",
        "References name environment variables or files.",
        f"destination: letters\nsettings:\n  key: ${{vault:letters}}\n{_SENDS}",
        "`${vault:letters}` is not a known reference. Use `${env:NAME}` or "
        "`${file:PATH}`; write `$${` for a literal `${`.",
    ),
    Entry(
        "AD304",
        "A reference is not resolved.",
        "Text outside of `settings`, `delivery` and `audiences` is sent unchanged.",
        mapping("sender: ${env:SENDER}"),
        "`${env:SENDER}` is not replaced here. References are resolved in `settings`, "
        "`delivery` and `audiences` only.",
    ),
    Entry(
        "AD305",
        "A secret is stored in plain text.",
        "Connection files belong in version control, secrets in the environment.",
        HEAD.replace("${env:LETTERS_KEY}", "sesame") + _SENDS,
        "Setting `key` is a secret in plain text: anyone with the file can read it. Write `key: "
        "${env:KEY}` and set the variable.",
    ),
    Entry(
        "AD311",
        "A required setting is missing.",
        "The destination cannot send requests without it.",
        HEAD.replace("  office: https://letters.example\n", "") + _SENDS,
        "Setting `office` is required.",
    ),
    Entry(
        "AD312",
        "The value of a setting is invalid.",
        "It violates the type, choices, format, pattern or bounds.",
        f"{HEAD}  region: east\n{_SENDS}",
        'Setting `region` must be "north" or "south", got "east".',
    ),
    Entry(
        "AD313",
        "A setting is unknown.",
        "It has no effect.",
        f"{HEAD}  reigon: north\n{_SENDS}",
        "Destination `letters` has no setting `reigon`. Did you mean `region`?",
    ),
    Entry(
        "AD314",
        "Settings do not fit together.",
        "The destination needs one of them, all of them, or not both.",
        f"{HEAD}  region: north\n  branch: harbour\n{_SENDS}",
        "At most one of `region`, `branch` may have a value. This is a rule of the settings.",
    ),
)
