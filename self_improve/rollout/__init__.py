"""Prompts in production: which plan gets which version, and when a version stays or goes."""
