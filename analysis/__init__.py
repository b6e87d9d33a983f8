"""Opinions where numbers do not decide: two agents look, one synthesises, one assesses."""
