"""Beside the company: what is durable and no change of it: first answers, last use of keys, counted calls."""
