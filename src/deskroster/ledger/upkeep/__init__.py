"""Upkeep of an installation: backups, checks, moves, key rotation, and the work of once a minute."""
