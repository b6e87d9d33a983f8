"""Loops of iterations: on one step until nothing more is gained, then on the next."""
