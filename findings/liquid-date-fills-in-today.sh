#!/bin/sh
# python-liquid completes a month, or a time of day, with the day on which the template is rendered.
# Guess: 2026-02 is the first of February, as in LiquidJS and in ISO 8601 readers, and 10:30, which is
# no date, is printed as it is.
# Behaviour: what is missing is taken from today, and at most the month's last day: 2026-02 is the 17th
# when it is rendered on the 17th, and the 28th on the 30th. The same event has another date tomorrow.
# Tried with version 2.3.6 of python-liquid (PyPI), python-dateutil 2.9.0.post0 and freezegun 1.5.5 on
# Python 3.11, and version 10.30.1 of liquidjs (npm) on Node 20.
# Output seen:
#   python-liquid on the 17th: 2026-02-17 2026-11-17
#   python-liquid on the 30th: 2026-02-28 2026-11-30
#   liquidjs: 2026-02-01 10:30
# Exits with 1 when either of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check python-liquid==2.3.6 \
  python-dateutil==2.9.0.post0 freezegun==1.5.5
npm install --silent --no-audit --no-fund liquidjs@10.30.1
cat > try.py <<'PY'
import liquid
from freezegun import freeze_time
from liquid.builtin.filters import misc

for day in (17, 30):
    with freeze_time(f"2026-11-{day}"):
        misc._to_date.cache_clear()  # it keeps the last ten texts, as of the day they were first read
        template = "{{ '2026-02' | date: '%Y-%m-%d' }} {{ '10:30' | date: '%Y-%m-%d' }}"
        print(f"python-liquid on the {day}th: {liquid.Environment().from_string(template).render()}")
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
const template = "{{ '2026-02' | date: '%Y-%m-%d' }} {{ '10:30' | date: '%Y-%m-%d' }}"
console.log(`liquidjs: ${new Liquid().parseAndRenderSync(template)}`)
JS
seen=$(env/bin/python try.py; node try.js)
echo "$seen"
test "$seen" = 'python-liquid on the 17th: 2026-02-17 2026-11-17
python-liquid on the 30th: 2026-02-28 2026-11-30
liquidjs: 2026-02-01 10:30'
