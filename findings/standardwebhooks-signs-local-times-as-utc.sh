#!/bin/sh
# standardwebhooks and svix (Python) sign the clock of a time zone as if it were that of UTC.
# Guess: `sign` takes a datetime, so it signs the instant; a datetime with a zone is safe, as everywhere
# else in Python, and the header is int(time.timestamp()).
# Behaviour: the zone is replaced by UTC, not converted: 12:00+02:00 is signed as 12:00Z. Receivers
# compute another signature from the header and refuse every webhook, unless the sender runs in UTC.
# svix calls the same code. datetime.now() without a zone is off in the same way.
# Each version: standardwebhooks 1.1.0, svix 2.9.1, Python 3.11.
# Output seen:
#   standardwebhooks: UTC verified; UTC+02:00 refused: No matching signature found
#   svix: UTC verified; UTC+02:00 refused: No matching signature found
# Exits with 1 when one of them behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0 svix==2.9.1
cat > try.py <<'PY'
import sys
from datetime import datetime, timedelta, timezone

import standardwebhooks
import svix.webhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLtOy"
ZONES = (timezone.utc, timezone(timedelta(hours=2)))


def outcome(kit, zone):
    webhook = kit.Webhook(SECRET)
    now = datetime.now(zone)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, "{}"),
    }
    try:
        webhook.verify("{}", headers)
    except kit.WebhookVerificationError as error:
        return f"refused: {error}"
    return "verified"


unexpected = 0
for name, kit in (("standardwebhooks", standardwebhooks), ("svix", svix.webhooks)):
    seen = [outcome(kit, zone) for zone in ZONES]
    print(f"{name}: " + "; ".join(f"{zone} {text}" for zone, text in zip(ZONES, seen)))
    unexpected |= seen != ["verified", "refused: No matching signature found"]
sys.exit(unexpected)
PY
env/bin/python try.py
