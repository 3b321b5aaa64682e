#!/bin/sh
# phonenumbers.is_number_match is true for two different numbers, and false for texts that are none.
# Guess: a function named is_... that compares two numbers returns False, or something false, when they
# differ, so that `if is_number_match(a, b)` finds one person in two lists.
# Behaviour: it returns an int: 0 if one of them is no number, 1 if they differ, 2 to 4 for a match of
# part of the digits, of the national number, and of all. The only answer that counts as false is
# that a text is no number.
# Tried with version 9.0.43 of phonenumbers on Python 3.11.
# Output seen:
#   +493012345678 and +33123456789: 1, True
#   +493012345678 and 030 12345678: 3, True
#   +493012345678 and ada: 0, False
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check phonenumbers==9.0.43
cat > try.py <<'PY'
from phonenumbers import is_number_match

for other in ("+33123456789", "030 12345678", "ada"):
    match = is_number_match("+493012345678", other)
    print(f"+493012345678 and {other}: {int(match)}, {bool(match)}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = '+493012345678 and +33123456789: 1, True
+493012345678 and 030 12345678: 3, True
+493012345678 and ada: 0, False'
