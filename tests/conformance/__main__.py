"""Run recorded cases of Segment's implementation: `python -m tests.conformance [FILE...]`.

Without a file, all recorded cases run. Prints how many passed, were excused and failed per file.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from tests.conformance.runner import case_files, run_files

logging.disable(logging.CRITICAL)  # cases make plugins fail, which would be logged
sys.exit(run_files([Path(argument) for argument in sys.argv[1:]] or case_files()))
