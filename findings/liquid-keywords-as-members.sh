#!/bin/sh
# Members named like a keyword (limit, for, as, empty, with) are not read by python-liquid.
# Guess: the name after a dot is any name, as in the events that templates are filled with.
# Behaviour: python-liquid tokenizes the name as a keyword and refuses the template; ['limit'] is read.
# Tried with version 2.3.6 of python-liquid (PyPI) on Python 3.11 and version 10.30.1 of liquidjs
# (npm) on Node 20.
# Output seen: python-liquid LiquidSyntaxError; liquidjs 5
# Exits with 1 when either of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check python-liquid==2.3.6
npm install --silent --no-audit --no-fund liquidjs@10.30.1
cat > try.py <<'PY'
from liquid import Environment

try:
    print(Environment().from_string("{{ properties.limit }}").render(**{"properties": {"limit": 5}}))
except Exception as error:
    print(type(error).__name__)
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
new Liquid().parseAndRender("{{ properties.limit }}", {"properties": {"limit": 5}}).then(console.log)
JS
python=$(env/bin/python try.py)
javascript=$(node try.js)
echo "python-liquid: $python"
echo "liquidjs: $javascript"
test "$python" = 'LiquidSyntaxError'
test "$javascript" = '5'
