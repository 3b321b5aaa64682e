#!/bin/sh
# truncate of python-liquid makes a text longer, and cuts one that has the length wanted.
# Guess: the result has at most the number of characters asked for, and a text that fits is kept.
# Behaviour: with fewer characters than the ellipsis has, the end of the text is cut by a negative position; the comparison is < where <= is meant.
# Tried with version 2.3.6 of python-liquid (PyPI) on Python 3.11 and version 10.30.1 of liquidjs
# (npm) on Node 20.
# Output seen: python-liquid Hello Worl...|a...; liquidjs ...|abcd
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
    print(Environment().from_string("{{ s | truncate: 2 }}|{{ t | truncate: 4 }}").render(**{"s": "Hello World", "t": "abcd"}))
except Exception as error:
    print(type(error).__name__)
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
new Liquid().parseAndRender("{{ s | truncate: 2 }}|{{ t | truncate: 4 }}", {"s": "Hello World", "t": "abcd"}).then(console.log)
JS
python=$(env/bin/python try.py)
javascript=$(node try.js)
echo "python-liquid: $python"
echo "liquidjs: $javascript"
test "$python" = 'Hello Worl...|a...'
test "$javascript" = '...|abcd'
