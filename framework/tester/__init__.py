"""The local tester: inspect and test a destination, and see why an event did not arrive."""

from framework.tester.asgi import beside, tester_app
from framework.tester.guard import Rules
from framework.tester.local_server import LocalServer, host_names, new_token, usable_port
from framework.tester.openapi import openapi
from framework.tester.reloading import serve_again
from framework.tester.segment_api import reference_app
from framework.tester.views import warm_up
from framework.tester.workspace import Mode, Setup, Workspace

__all__ = [
    "LocalServer",
    "Mode",
    "Rules",
    "Setup",
    "Workspace",
    "beside",
    "host_names",
    "new_token",
    "openapi",
    "reference_app",
    "serve_again",
    "tester_app",
    "usable_port",
    "warm_up",
]
