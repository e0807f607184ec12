"""The SQLite engine: one file in the folder, held by this process alone."""
