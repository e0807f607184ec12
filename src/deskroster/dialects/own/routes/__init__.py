"""The calls of our own API, by resource."""
