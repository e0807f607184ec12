"""The benchmark: what Deskroster costs, measured side by side with what it could have been, in one run."""
