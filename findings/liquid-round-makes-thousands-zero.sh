#!/bin/sh
# python-liquid rounds 1234 to hundreds as 0, and 2.5 to 2.
# Guess: `round: -2` rounds to hundreds, as in LiquidJS; a half is rounded away from zero.
# Behaviour: with a negative number of digits the filter returns 0, whatever the number. Without one it
# is Python's round, to the even neighbour: order values of 0.50 and 2.50 become 0 and 2.
# Tried with version 2.3.6 of python-liquid (PyPI) on Python 3.11 and version 10.30.1 of liquidjs
# (npm) on Node 20.
# Output seen:
#   python-liquid: 0 | 0 | 2
#   liquidjs: 1200 | 1 | 3
# Exits with 1 when either of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check python-liquid==2.3.6
npm install --silent --no-audit --no-fund liquidjs@10.30.1
cat > template.liquid <<'LIQUID'
{{ 1234 | round: -2 }} | {{ 0.5 | round }} | {{ 2.5 | round }}
LIQUID
cat > try.py <<'PY'
import pathlib

from liquid import Environment

print("python-liquid:", Environment().from_string(pathlib.Path("template.liquid").read_text()).render().strip())
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
const text = require('fs').readFileSync('template.liquid', 'utf8')
console.log('liquidjs:', new Liquid().parseAndRenderSync(text).trim())
JS
seen=$(env/bin/python try.py; node try.js)
echo "$seen"
test "$seen" = 'python-liquid: 0 | 0 | 2
liquidjs: 1200 | 1 | 3'
