"""Moving from Segment: exported configuration becomes connection files, with a report."""

from framework.migration.connection_text import connection_text, in_yaml, quoted
from framework.migration.conversion import ImportedConnection, import_connections
from framework.migration.export_files import is_manifest, read_document, read_exports
from framework.migration.exported import Export, Note
from framework.migration.migration_report import import_report, summary

__all__ = [
    "Export",
    "ImportedConnection",
    "Note",
    "connection_text",
    "import_connections",
    "import_report",
    "in_yaml",
    "is_manifest",
    "quoted",
    "read_document",
    "read_exports",
    "summary",
]
