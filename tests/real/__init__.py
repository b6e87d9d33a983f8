"""Tests on a real model, which `make test-real` runs; elsewhere they are skipped."""
