#!/bin/sh
# where of python-liquid drops the items whose value is 0.
# Guess: without a value, where keeps what is neither nil nor false; 0 is true in Liquid.
# Behaviour: the value is looked up in (False, None), and 0 == False in Python.
# Tried with version 2.3.6 of python-liquid (PyPI) on Python 3.11 and version 10.30.1 of liquidjs
# (npm) on Node 20.
# Output seen: python-liquid 1; liquidjs 2
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
    print(Environment().from_string("{{ items | where: \"stock\" | size }}").render(**{"items": [{"stock": 0}, {"stock": 2}]}))
except Exception as error:
    print(type(error).__name__)
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
new Liquid().parseAndRender("{{ items | where: \"stock\" | size }}", {"items": [{"stock": 0}, {"stock": 2}]}).then(console.log)
JS
python=$(env/bin/python try.py)
javascript=$(node try.js)
echo "python-liquid: $python"
echo "liquidjs: $javascript"
test "$python" = '1'
test "$javascript" = '2'
