"""The API by subject. A module put here is in the document: its `PATHS`, its `SCHEMAS`, and its `SECURITY` if it has one."""
