#!/bin/sh
# pyarrow's CSV reader takes phone numbers in E.164 for floating-point numbers, because of the plus sign.
# Guess: a column of +491701234567 stays text, as a plus sign says that it is no plain number; or it
# becomes an integer, as 491701234567 does, and only the plus sign is lost.
# Behaviour: the parser of integers takes no plus sign, so the next type is tried, and the parser of
# floating-point numbers does. The column is written back as 4.91701234567e+11, also by a cast to text.
# duckdb and polars keep such a column as text.
# Each version: pyarrow 26.0.1, duckdb 2.0.1, polars 2.1.0, Python 3.11.
# Output seen:
#   pyarrow: double, written back as 4.91701234567e+11
#   pyarrow without the plus sign: int64
#   duckdb: VARCHAR
#   polars: String
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0
cat > try.py <<'PY'
import io
import pathlib

import duckdb
import polars
from pyarrow import csv

PEOPLE = "phone\n+491701234567\n+33123456789\n"
pathlib.Path("people.csv").write_text(PEOPLE)
table = csv.read_csv("people.csv")
written = io.BytesIO()
csv.write_csv(table, written)
first = written.getvalue().decode().splitlines()[1]
print(f"pyarrow: {table.schema.field('phone').type}, written back as {first}")
plain = csv.read_csv(io.BytesIO(PEOPLE.replace("+", "").encode()))
print(f"pyarrow without the plus sign: {plain.schema.field('phone').type}")
print(f"duckdb: {duckdb.sql('SELECT * FROM ' + repr('people.csv')).types[0]}")
print(f"polars: {polars.read_csv('people.csv').schema['phone']}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = 'pyarrow: double, written back as 4.91701234567e+11
pyarrow without the plus sign: int64
duckdb: VARCHAR
polars: String'
