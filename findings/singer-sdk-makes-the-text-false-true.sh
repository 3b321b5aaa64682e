#!/bin/sh
# singer-sdk makes the texts "false", "0" and "no" the value true in a boolean property.
# Guess: a text in a property whose schema says boolean is left for the target to refuse, or read as a
# boolean is read everywhere in configuration and CSV: "false" is false.
# Behaviour: for each record of a tap the value is compared to the number 0, and no text is equal to 0.
# An API or a file with "false" for a person's consent arrives as consent given, without a warning,
# and the target's validation sees a proper boolean. Numbers and null are converted as expected.
# Tried with version 0.54.9 of singer-sdk (PyPI) on Python 3.11.
# Output seen:
#   'false' true | '0' true | 'no' true | '' true | 0 false | False false | None null
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check singer-sdk==0.54.9
cat > try.py <<'PY'
import json
import subprocess
import sys
from pathlib import Path

TAP = '''
import json
from singer_sdk import Stream, Tap
from singer_sdk import typing as th

VALUES = ["false", "0", "no", "", 0, False, None]

class People(Stream):
    name = "people"
    schema = th.PropertiesList(
        th.Property("number", th.IntegerType), th.Property("consent", th.BooleanType)
    ).to_dict()

    def get_records(self, context):
        for number, value in enumerate(VALUES):
            yield {"number": number, "consent": value}

class Crm(Tap):
    name = "tap-crm"
    config_jsonschema = {"properties": {}}

    def discover_streams(self):
        return [People(tap=self)]

Crm.cli()
'''
Path("tap.py").write_text(TAP)
done = subprocess.run([sys.executable, "tap.py"], capture_output=True, text=True, check=True)
messages = [json.loads(line) for line in done.stdout.splitlines()]
seen = [message["record"]["consent"] for message in messages if message["type"] == "RECORD"]
values = ["false", "0", "no", "", 0, False, None]
print(" | ".join(f"{value!r} {json.dumps(found)}" for value, found in zip(values, seen)))
sys.exit(seen != [True, True, True, True, False, False, None])
PY
env/bin/python try.py
