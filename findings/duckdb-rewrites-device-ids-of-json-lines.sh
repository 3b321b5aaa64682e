#!/bin/sh
# DuckDB writes the advertising IDs of JSON lines in lower case, since it reads them as UUIDs.
# Guess: what is a string in JSON stays one; types are guessed for CSV, where there are none. Copying a
# file of events to another of the same format changes nothing but the layout.
# Behaviour: strings are tried as UUIDs, dates and times. An Apple advertising ID, in capitals, becomes
# a UUID and is written in lower case, so that its hash and its text match nothing; a time loses its
# offset and its nanoseconds, and its text is no ISO 8601 any more. Columns given as VARCHAR are kept.
# polars guesses no types of strings in JSON.
# Each version: duckdb 2.0.1, polars 2.1.0, Python 3.11.
# Output seen:
#   duckdb: {"advertisingId":"6d92078a-8246-4ba4-ae5b-76104861e7dc","at":"2026-11-30 10:00:00.123456+00"}
#   polars: {"advertisingId":"6D92078A-8246-4BA4-AE5B-76104861E7DC","at":"2026-11-30T12:00:00.123456789+02:00"}
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pytz
cat > try.py <<'PY'
import pathlib

import duckdb
import polars

EVENT = '{"advertisingId":"6D92078A-8246-4BA4-AE5B-76104861E7DC","at":"2026-11-30T12:00:00.123456789+02:00"}'
pathlib.Path("in.ndjson").write_text(EVENT + "\n")
duckdb.sql("SET TimeZone = 'UTC'")
duckdb.sql("COPY (SELECT * FROM 'in.ndjson') TO 'duckdb.ndjson' (FORMAT json)")
polars.read_ndjson("in.ndjson").write_ndjson("polars.ndjson")
for name in ("duckdb", "polars"):
    print(f"{name}: {pathlib.Path(name + '.ndjson').read_text().strip()}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = 'duckdb: {"advertisingId":"6d92078a-8246-4ba4-ae5b-76104861e7dc","at":"2026-11-30 10:00:00.123456+00"}
polars: {"advertisingId":"6D92078A-8246-4BA4-AE5B-76104861E7DC","at":"2026-11-30T12:00:00.123456789+02:00"}'
