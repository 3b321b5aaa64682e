#!/bin/sh
# Google's formatter for the Data Manager API drops the vowels of Hindi, Tamil and Thai cities, and ü.
# Guess: punctuation and symbols are removed from a city, letters of any script are kept (München and
# 東京 are), and one city has one form, however its letters are composed.
# Behaviour: what Python's \w does not match is removed, and that includes combining marks: the vowel
# signs of Indian scripts, vowels and tones of Thai, and the dots of a ü that is written as two code
# points, as names of files and exports from macOS have it. Delhi becomes दलल, and München is münchen
# or munchen. In streets a hyphen is removed as well: 1-23 and 12-3 are one address, 123.
# Tried with version 0.4.0 of google-ads-datamanager-util (PyPI) on Python 3.11.
# Output seen:
#   दिल्ली: दलल
#   சென்னை: சனன
#   กรุงเทพ: กรงเทพ
#   München: münchen
#   München, decomposed: munchen
#   1-23 Main: 123 main
#   12-3 Main: 123 main
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check google-ads-datamanager-util==0.4.0
cat > try.py <<'PY'
import sys
import unicodedata

from google.ads.datamanager_util.format import Formatter

formatter = Formatter()
expected = {"दिल्ली": "दलल", "சென்னை": "சனன", "กรุงเทพ": "กรงเทพ", "München": "münchen"}
seen = {city: formatter.format_city(city) for city in expected}
for city, form in seen.items():
    print(f"{city}: {form}")
apart = formatter.format_city(unicodedata.normalize("NFD", "München"))
print(f"München, decomposed: {apart}")
streets = {street: formatter.format_address_line(street) for street in ("1-23 Main", "12-3 Main")}
for street, form in streets.items():
    print(f"{street}: {form}")
sys.exit(seen != expected or apart != "munchen" or set(streets.values()) != {"123 main"})
PY
env/bin/python try.py
