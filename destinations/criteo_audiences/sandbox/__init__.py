"""A simulated Criteo API: in memory for tests and the tester, on loopback for any client."""

from destinations.criteo_audiences.sandbox.criteo import DEMO_APP, CriteoSandbox
from destinations.criteo_audiences.sandbox.options import CriteoOptions
from destinations.criteo_audiences.sandbox.state import MANAGE, READ, App

__all__ = ["DEMO_APP", "MANAGE", "READ", "App", "CriteoOptions", "CriteoSandbox"]
