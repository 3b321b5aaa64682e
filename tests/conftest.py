"""What every test relies on."""

from __future__ import annotations

import signal

# A shell starts what runs in its background with SIGINT ignored, and children inherit that: the
# commands that tests interrupt would never hear of it.
signal.signal(signal.SIGINT, signal.default_int_handler)
