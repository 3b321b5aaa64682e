"""AD1 to AD3: files, their structure, and what they refer to."""

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
        "Nothing can be said about a file that is not there or that may not be opened.",
        "(a file that does not exist)\n",
        "The file cannot be read: No such file or directory.",
        "missing.yaml",
    ),
    Entry(
        "AD101",
        "The text is not valid YAML, JSON or UTF-8.",
        "Reading stops at the first place that cannot be understood.",
        "destination: letters\n\tname: Spring\n",
        "This is not valid YAML: found character '\\t' that cannot start any token. Indent"
        " with spaces.",
    ),
    Entry(
        "AD102",
        "An object names the same key twice.",
        "Only one of the values can count; which one is not obvious to a reader.",
        f"destination: letters\ndestination: parcels\n{_SENDS}",
        "The key `destination` is already given in line 1.",
    ),
    Entry(
        "AD103",
        "The document is too large or deep, repeats too much by aliases, or has too many findings.",
        "People write connection files; a limit keeps a broken one from taking all memory.",
        "destination: " + "[" * 65 + "]" * 65 + "\n",
        "The document is nested more than 64 levels deep.",
    ),
    Entry(
        "AD104",
        "A part of YAML that connection files do not use.",
        "Tags, further documents and keys that are no text mean nothing here.",
        f"destination: !name letters\n{_SENDS}",
        "The tag `!name` is not used in connection files. Leave it out.",
    ),
    Entry(
        "AD105",
        "A part of the file is not checked to the end.",
        "The work of a check is limited, so that no file takes longer than about a second; what is "
        "not checked may be right or wrong.",
        trigger(
            '(type = "track" or type = "page") and properties.z = 1 and properties.z = 2 and '
            + " and ".join(f"(properties.a{n} > 1 or properties.b{n} > 1)" for n in range(1, 9))
        ),
        "The trigger is not checked to the end: that would take too long. Make it simpler, or the "
        "file smaller.",
    ),
    Entry(
        "AD201",
        "A value is of the wrong kind.",
        "Numbers and dates without quotes are a frequent cause in YAML.",
        f"destination: letters\nname: 2024\n{_SENDS}",
        "`name` must be text, got a number. Put it into quotes.",
    ),
    Entry(
        "AD202",
        "Something required is missing.",
        "Without it nothing can be delivered.",
        "destination: letters\nsubscriptions:\n  - name: Letters\n",
        "`subscriptions[0].partnerAction` is required.",
    ),
    Entry(
        "AD203",
        "A key that is not known.",
        "It would be passed over, which is rarely what its writer wants.",
        f"destination: letters\nsetings: {{}}\n{_SENDS}",
        "A connection file has no key `setings`. Did you mean `settings`?",
    ),
    Entry(
        "AD204",
        "The same thing is said twice.",
        "Names of subscriptions tell outcomes apart; two spellings of one key may disagree.",
        "destination: letters\nsubscriptions:\n"
        "  - partnerAction: sendLetter\n    actionSlug: sendLetter\n",
        "`partnerAction` and `actionSlug` say the same. Keep one of them.",
    ),
    Entry(
        "AD205",
        "There are too many subscriptions.",
        "The limit is that of Segment's connections, so that a file can move there and back.",
        "destination: letters\nsubscriptions:\n"
        + "".join(f"  - {{name: s{n}, partnerAction: sendLetter}}\n" for n in range(51)),
        "A connection has at most 50 subscriptions, got 51. Split it into two files.",
    ),
    Entry(
        "AD206",
        "There are no subscriptions.",
        "The connection is of use for checking credentials only.",
        "destination: letters\nsubscriptions: []\n",
        "There are no subscriptions, so nothing will be delivered.",
    ),
    Entry(
        "AD301",
        "An environment variable is not set.",
        "Secrets are read from the environment when the file is; set the variable before.",
        f"destination: letters\nsettings:\n  key: ${{env:NO_SUCH_KEY}}\n{_SENDS}",
        "The environment variable `NO_SUCH_KEY` is not set.",
    ),
    Entry(
        "AD302",
        "A file that is referred to cannot be used.",
        "The path starts at the folder of the connection file.",
        f"destination: letters\nsettings:\n  key: ${{file:no-such-file}}\n{_SENDS}",
        "The file `no-such-file` cannot be read: No such file or directory.",
    ),
    Entry(
        "AD303",
        "A reference of an unknown kind.",
        "There are references to variables and to files.",
        f"destination: letters\nsettings:\n  key: ${{vault:letters}}\n{_SENDS}",
        "`${vault:letters}` is no reference that is known. Use `${env:NAME}` or "
        "`${file:PATH}`; write `$${` for a literal `${`.",
    ),
    Entry(
        "AD304",
        "A reference where none is resolved.",
        "Outside of settings a text is sent as it stands.",
        mapping("sender: ${env:SENDER}"),
        "`${env:SENDER}` stays as it is here. References are resolved in `settings` only.",
    ),
    Entry(
        "AD305",
        "A secret stands in the file as it is.",
        "Connection files are kept in version control; secrets belong into the environment.",
        HEAD.replace("${env:LETTERS_KEY}", "sesame") + _SENDS,
        "Setting `key` is a secret that anybody who has the file can read. Write `key: "
        "${env:KEY}` and set the variable.",
    ),
    Entry(
        "AD311",
        "A required setting is missing.",
        "The destination cannot be called without it.",
        HEAD.replace("  office: https://letters.example\n", "") + _SENDS,
        "Setting `office` is required.",
    ),
    Entry(
        "AD312",
        "A setting has a value that it does not take.",
        "Type, choices, format, pattern or bounds are not met.",
        f"{HEAD}  region: east\n{_SENDS}",
        'Setting `region` must be "north" or "south", got "east".',
    ),
    Entry(
        "AD313",
        "A setting that the destination does not have.",
        "It is passed over.",
        f"{HEAD}  reigon: north\n{_SENDS}",
        "Destination `letters` has no setting `reigon`. Did you mean `region`?",
    ),
)
