"""Moving from Segment: exported configuration becomes connection files, with a report."""

from framework.importing.connection_text import connection_text, in_yaml, quoted
from framework.importing.conversion import ImportedConnection, import_connections
from framework.importing.export_files import SUFFIXES, is_manifest, read_document, read_exports
from framework.importing.exported import Export, Note
from framework.importing.report_page import import_report, summary
from framework.importing.starters import OpenLine, open_lines, starter

__all__ = [
    "SUFFIXES",
    "Export",
    "ImportedConnection",
    "Note",
    "OpenLine",
    "connection_text",
    "import_connections",
    "import_report",
    "in_yaml",
    "is_manifest",
    "open_lines",
    "quoted",
    "read_document",
    "read_exports",
    "starter",
    "summary",
]
