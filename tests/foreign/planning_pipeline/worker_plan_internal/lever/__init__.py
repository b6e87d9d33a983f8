"""What could be decided one way or another."""
