"""Iterations in a row: until nothing more is gained, and from one step to the next."""
