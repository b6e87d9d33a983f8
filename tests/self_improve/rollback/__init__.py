"""Tests of going back."""
