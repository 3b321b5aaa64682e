"""A faithful Criteo in memory: for tests, the tester, the demo, and on loopback for any client."""

from destinations.criteo_audiences.sandbox.criteo import DEMO_APP, CriteoSandbox
from destinations.criteo_audiences.sandbox.options import Knobs
from destinations.criteo_audiences.sandbox.state import MANAGE, READ, App

__all__ = ["DEMO_APP", "MANAGE", "READ", "App", "CriteoSandbox", "Knobs"]
