"""The published JSON Schemas: built from the definitions, written to files, and compared with them.

They are for editors and other tools; the framework does not read them.
"""

from framework.schemas.published import schema_files, stale_schemas, write_schemas

__all__ = ["schema_files", "stale_schemas", "write_schemas"]
