"""Compares the generators by searches on simulated landscapes with a known optimum."""
