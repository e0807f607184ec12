"""Upkeep: what keeps an installation whole: backups, checks, moves, key rotation, and what is done once a minute."""
