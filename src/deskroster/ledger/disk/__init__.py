"""What stands on the disk and in which format: the tables, the log, checksums, seals; how it is written and read."""
