"""What could go wrong."""
