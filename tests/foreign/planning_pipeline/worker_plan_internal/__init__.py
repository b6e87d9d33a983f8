"""Turns an idea into the first pages of a plan."""
