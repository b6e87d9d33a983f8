"""Tests of the servers that Plumbline starts."""
