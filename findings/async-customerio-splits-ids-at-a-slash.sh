#!/bin/sh
# async-customerio sends a person whose ID has a slash to another path.
# Guess: an ID is one segment of the path, whatever is in it; Base64 text, which many systems use for IDs,
# has slashes. The official clients for Python and Node escape them.
# Behaviour: the path is escaped as a whole, and a slash counts as safe there: the updates and events of
# the person dGVhbS/h go to customers/dGVhbS/h, which is not that person's address. Only IDs with a slash
# are concerned, so that a part of the people is missing. "+", "=" and spaces are escaped as expected.
# Each version: async-customerio 2.18.0 and customerio 3.2.0 (PyPI) on Python 3.11.
# Output seen:
#   async: /api/v1/customers/dGVhbS/h
#   official: /api/v1/customers/dGVhbS%2Fh
#   async: /api/v1/customers/dGVhbS%2Bh%3D
#   official: /api/v1/customers/dGVhbS%2Bh%3D
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check async-customerio==2.18.0 customerio==3.2.0
cat > try.py <<'PY'
import asyncio

from async_customerio import AsyncCustomerIO, Regions
from customerio import CustomerIO


def path(label, url):
    print(f"{label}: {url.partition('track.customer.io')[2]}")


class Official(CustomerIO):
    def send_request(self, method, url, data):
        path("official", url)


class Async(AsyncCustomerIO):
    async def send_request(self, method, url, **_):
        path("async", url)


for person in ("dGVhbS/h", "dGVhbS+h="):
    asyncio.run(Async("site", "key", region=Regions.US).identify(person, plan="basic"))
    Official("site", "key").identify(person, plan="basic")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "async: /api/v1/customers/dGVhbS/h
official: /api/v1/customers/dGVhbS%2Fh
async: /api/v1/customers/dGVhbS%2Bh%3D
official: /api/v1/customers/dGVhbS%2Bh%3D"
