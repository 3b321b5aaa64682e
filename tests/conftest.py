"""What every test relies on."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A shell starts what runs in its background with SIGINT ignored, and children inherit that: the
# commands that tests interrupt would never hear of it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Properties are tried on the same examples everywhere, and whatever the time it takes. Others are
# tried with `--hypothesis-profile=explore`, and again with `--hypothesis-seed` beside it.
settings.register_profile(
    "explore",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")
