"""Many cells become runs in history."""
