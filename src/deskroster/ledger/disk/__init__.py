"""The database format: tables, the change log, checksums and encryption; how they are written and read."""
