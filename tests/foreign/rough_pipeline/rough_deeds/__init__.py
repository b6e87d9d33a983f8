"""A pipeline that behaves badly."""
