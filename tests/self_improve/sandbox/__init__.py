"""Tests of what confines code that is not the user's own."""
