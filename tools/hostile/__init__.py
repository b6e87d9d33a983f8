"""Campaigns that try to break every promise: `python -m tools.hostile`, or make hostile."""
