#!/bin/sh
# python-liquid's `date: '%s'` gives Unix seconds that are hours off, unless time and machine are in UTC.
# Guess: %s counts the seconds to the instant that the text names, whatever its offset and the zone of
# the machine; a time with Z is safe.
# Behaviour: the text is parsed with its offset, but %s is left to the C library, which takes the digits
# of the clock for local time: 10:00+02:00 is two hours off on a machine in UTC, and 08:00Z five hours
# in New York. Partners that take Unix seconds for conversions get another hour.
# Tried with version 2.3.6 of python-liquid (PyPI) on Python 3.11, Linux, and version 10.30.1 of
# liquidjs (npm) on Node 20.
# Output seen (hours off):
#   python-liquid: UTC 10:00+02:00 2, 08:00Z 0; America/New_York 10:00+02:00 7, 08:00Z 5
#   liquidjs: UTC 10:00+02:00 0, 08:00Z 0; America/New_York 10:00+02:00 0, 08:00Z 0
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

for text in ("2026-11-30T10:00:00+02:00", "2026-11-30T08:00:00Z"):
    print(Environment().from_string("{{ t | date: '%s' }}").render(t=text))
PY
cat > try.js <<'JS'
const { Liquid } = require('liquidjs')
for (const t of ['2026-11-30T10:00:00+02:00', '2026-11-30T08:00:00Z']) {
  console.log(new Liquid().parseAndRenderSync("{{ t | date: '%s' }}", { t }))
}
JS
off() {
  label=$1 line=
  shift
  for zone in UTC America/New_York; do
    # shellcheck disable=SC2046
    set -- "$@" $(TZ=$zone "$1" "$2")
    line="$line; $zone 10:00+02:00 $((($3 - 1796025600) / 3600)), 08:00Z $((($4 - 1796025600) / 3600))"
    set -- "$1" "$2"
  done
  echo "$label: ${line#; }"
}
seen=$(off python-liquid env/bin/python try.py; off liquidjs node try.js)
echo "$seen"
test "$seen" = 'python-liquid: UTC 10:00+02:00 2, 08:00Z 0; America/New_York 10:00+02:00 7, 08:00Z 5
liquidjs: UTC 10:00+02:00 0, 08:00Z 0; America/New_York 10:00+02:00 0, 08:00Z 0'
