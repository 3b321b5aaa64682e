#!/bin/sh
# DuckDB writes sums of whole numbers, and whole numbers beyond 64 bits, to Parquet as doubles.
# Guess: a whole number stays one; a type that a format does not have is refused, or written as a
# decimal, which Parquet has with up to 38 digits and more. What is exact in a query is exact in its copy.
# Behaviour: HUGEINT becomes DOUBLE without a word, and HUGEINT is what sum() of any column of whole
# numbers gives. An ID of 20 digits loses its last ones; a count that was 3 is read as 3.0, which is
# another text. The same query copied to CSV keeps all digits. UBIGINT and DECIMAL(38, 0) stay exact.
# Each version: duckdb 2.0.1, Python 3.11.
# Output seen:
#   query: 12345678901234567890 3
#   csv: 12345678901234567890,3
#   parquet: 1.2345678901234567e+19 3.0 DOUBLE DOUBLE
#   parquet with casts: 12345678901234567890 3
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1
cat > try.py <<'PY'
import pathlib

import duckdb

QUERY = "SELECT 12345678901234567890::HUGEINT AS id, sum(n) AS orders FROM (VALUES (1), (2)) AS t(n)"
CAST = f"SELECT id::UBIGINT AS id, orders::DECIMAL(38, 0) AS orders FROM ({QUERY})"
print("query:", *duckdb.sql(QUERY).fetchall()[0])
duckdb.sql(f"COPY ({QUERY}) TO 'x.csv' (HEADER false)")
print("csv:", pathlib.Path("x.csv").read_text().strip())
duckdb.sql(f"COPY ({QUERY}) TO 'x.parquet'")
read = duckdb.sql("FROM 'x.parquet'")
print("parquet:", *read.fetchall()[0], *read.types)
duckdb.sql(f"COPY ({CAST}) TO 'y.parquet'")
print("parquet with casts:", *duckdb.sql("FROM 'y.parquet'").fetchall()[0])
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = 'query: 12345678901234567890 3
csv: 12345678901234567890,3
parquet: 1.2345678901234567e+19 3.0 DOUBLE DOUBLE
parquet with casts: 12345678901234567890 3'
