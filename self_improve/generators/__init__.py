"""Candidate generators: one file each, one Protocol, one budget."""
