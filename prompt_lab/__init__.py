"""The data repository: baselines, append-only history, and the paths to all of it."""
