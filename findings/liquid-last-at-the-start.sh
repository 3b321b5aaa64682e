#!/bin/sh
# remove_last and replace_last of python-liquid ignore a match at the start of the text.
# Guess: the last match is removed or replaced wherever it is.
# Behaviour: the text before the match is empty then, which is taken for no match at all.
# Tried with version 2.3.6 of python-liquid (PyPI) on Python 3.11 and version 10.30.1 of liquidjs
# (npm) on Node 20.
# Output seen: python-liquid +4712345 +4712345; liquidjs 4712345 004712345
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
    print(Environment().from_string("{{ s | remove_last: \"+\" }} {{ s | replace_last: \"+\", \"00\" }}").render(**{"s": "+4712345"}))
except Exception as error:
    print(type(error).__name__)
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
new Liquid().parseAndRender("{{ s | remove_last: \"+\" }} {{ s | replace_last: \"+\", \"00\" }}", {"s": "+4712345"}).then(console.log)
JS
python=$(env/bin/python try.py)
javascript=$(node try.js)
echo "python-liquid: $python"
echo "liquidjs: $javascript"
test "$python" = '+4712345 +4712345'
test "$javascript" = '4712345 004712345'
