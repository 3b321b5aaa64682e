"""Run recorded cases of the reference: `python -m tests.conformance FILE...`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tests.conformance.runner import run_files

logging.disable(logging.CRITICAL)  # cases make plugins fail, which would be logged
sys.exit(run_files([Path(argument) for argument in sys.argv[1:]]))
