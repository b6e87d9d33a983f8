"""Whole plans with the best prompts, compared with the baseline plans."""
