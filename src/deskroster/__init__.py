"""Deskroster: the directory of who answers a company's customers, and in which group."""

__version__ = "0.2.0"
