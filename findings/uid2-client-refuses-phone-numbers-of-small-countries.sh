#!/bin/sh
# uid2-client refuses valid E.164 numbers of countries with short ones, and takes superscript digits.
# Guess: a number in E.164 is taken; UID2's page on normalization states a maximum of 15 digits only.
# Behaviour: at least ten digits are required, which no number of Andorra (+376 and six digits), Niue
# or Saint Helena has: normalize_and_hash_phone raises ValueError with the number in its text. Digits
# are recognized by str.isdigit, so superscript and Arabic-Indic ones pass and are hashed as written.
# Each version: uid2-client 2.9.0 on Python 3.11.
# Output seen:
#   +376312345 refused | +6834002 refused | +2902345 refused | +16505551212 hashed | +1²34567890 hashed
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check uid2-client==2.9.0
cat > try.py <<'PY'
from uid2_client import normalize_and_hash_phone

found = []
for number in ("+376312345", "+6834002", "+2902345", "+16505551212", "+1²34567890"):
    try:
        normalize_and_hash_phone(number)
    except ValueError:
        found.append(f"{number} refused")
    else:
        found.append(f"{number} hashed")
print(" | ".join(found))
PY
seen=$(PYTHONIOENCODING=utf-8 env/bin/python try.py)
echo "$seen"
test "$seen" = '+376312345 refused | +6834002 refused | +2902345 refused | +16505551212 hashed | +1²34567890 hashed'
