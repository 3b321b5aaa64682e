"""The options that say when a batch is given up, for runs and relays alike."""

from __future__ import annotations

import click

from framework.cli.durations import Duration

tries_option = click.option(
    "--tries",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="Number of tries after which a batch fails permanently, once --give-up-after has passed.",
)

give_up_after_option = click.option(
    "--give-up-after",
    type=Duration(),
    default="4h",
    show_default=True,
    metavar="TIME",
    help="Minimum time since the first of these tries, also before a restart, such as 90s, 15m, "
    "4h or 2d.",
)
