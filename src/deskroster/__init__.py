"""Deskroster: the directory of who answers a company's customers, and in which group."""

__version__ = "0.1.0"
