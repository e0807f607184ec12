"""Files: atomic writes, the lock of a data folder, format versions, and how paths are written."""
