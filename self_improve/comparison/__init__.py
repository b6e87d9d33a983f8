"""Two sides of runs: whether they can be compared, measured, judged and shown."""
