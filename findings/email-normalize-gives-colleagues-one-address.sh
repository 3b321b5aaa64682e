#!/bin/sh
# email-normalize gives all people of a subdomain one address, if Fastmail receives its mail.
# Guess: two addresses have one normal form only if they are the same mailbox; what is known of a
# provider's own domains (ada+news@fastmail.com, news@ada.fastmail.com) is applied to those domains.
# Behaviour: the provider is found by the host that receives the mail, and Fastmail's way of writing a
# mailbox as a subdomain is applied to customers' domains, too: the part before the @ is replaced by
# the first label, so that ada@ and bob@shop.example.com are both shop@example.com. With skip_dns it is
# not applied at all, not even to news@ada.fastmail.com.
# Tried with version 3.2.0 of email-normalize on Python 3.11; the answer of the DNS is put into its cache.
# Output seen:
#   ada@shop.example.com: shop@example.com
#   bob@shop.example.com: shop@example.com
#   news@ada.fastmail.com without DNS: news@ada.fastmail.com
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check email-normalize==3.2.0
cat > try.py <<'PY'
import asyncio

import email_normalize
from email_normalize import CachedItem, Normalizer

email_normalize.cache["shop.example.com"] = CachedItem([(10, "in1-smtp.messagingengine.com")], 3600)


async def main():
    online, offline = Normalizer(name_servers=["127.0.0.1"]), Normalizer(skip_dns=True)
    for address in ("ada@shop.example.com", "bob@shop.example.com"):
        print(f"{address}: {(await online.normalize(address)).normalized_address}")
    address = "news@ada.fastmail.com"
    print(f"{address} without DNS: {(await offline.normalize(address)).normalized_address}")


asyncio.run(main())
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = 'ada@shop.example.com: shop@example.com
bob@shop.example.com: shop@example.com
news@ada.fastmail.com without DNS: news@ada.fastmail.com'
