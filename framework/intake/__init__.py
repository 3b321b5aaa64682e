"""The intake: Segment's tracking API over HTTP, which stores what clients send."""

from framework.intake.intake_server import IntakeServer
from framework.intake.tracking_app import IntakeOptions
from framework.intake.write_keys import WriteKeys

__all__ = ["IntakeOptions", "IntakeServer", "WriteKeys"]
