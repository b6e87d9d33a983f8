"""Whole plans with the best prompts, held against the baseline plans."""
