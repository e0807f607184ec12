"""The pure core: records, changes, verbs and queries. No I/O, no clock, no randomness."""
