"""The published JSON Schemas: built from the definitions, written to a folder, told when stale.

They are for editors and for other tools; nothing reads them at run time.
"""

from framework.schemas.published import schema_files, stale_schemas, write_schemas

__all__ = ["schema_files", "stale_schemas", "write_schemas"]
