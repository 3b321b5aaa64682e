#!/bin/sh
# mixpanel (Python) sends a batch again that was accepted, if a later batch of the same flush fails.
# Guess: what was confirmed leaves the buffer; after an error the next flush continues with what failed.
# Behaviour: BufferedConsumer.flush forgets what it sent only when all batches succeeded. While Mixpanel
# cannot be reached the buffer grows beyond one batch; if it then answers the first batch and fails
# at the second, the first is sent with each new attempt. Events have an $insert_id and are counted once;
# updates of profiles have none: `people_increment` and `people_append` are applied as often as sent.
# Tried with version 5.4.1 of mixpanel (PyPI) on Python 3.11; the answers are given by the script.
# Output seen:
#   one increment each for ada, bob, cyd and dan: ada 3 times, bob 3 times, cyd 1 times, dan 1 times
# Exits with 1 when it behaves differently.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mixpanel==5.4.1
cat > try.py <<'PY'
import json
from collections import Counter
from contextlib import suppress

from mixpanel import BufferedConsumer, Mixpanel, MixpanelException

buffered = BufferedConsumer(max_size=2)
applied = Counter()
# Out of reach for three calls; then the second batch fails twice.
works = iter([False, False, False, True, False, True, False, True, True])


def send(endpoint, batch, **_):
    if not next(works):
        raise MixpanelException("cannot be reached")
    applied.update(update["$distinct_id"] for update in json.loads(batch))


buffered._consumer.send = send
client = Mixpanel("token", consumer=buffered)
for person in ("ada", "bob", "cyd", "dan"):
    with suppress(MixpanelException):
        client.people_increment(person, {"orders": 1})
for _ in range(3):
    with suppress(MixpanelException):
        buffered.flush()
counts = ", ".join(f"{person} {applied[person]} times" for person in ("ada", "bob", "cyd", "dan"))
print(f"one increment each for ada, bob, cyd and dan: {counts}")
PY
seen=$(env/bin/python try.py)
echo "$seen"
test "$seen" = "one increment each for ada, bob, cyd and dan: ada 3 times, bob 3 times, cyd 1 times, dan 1 times"
