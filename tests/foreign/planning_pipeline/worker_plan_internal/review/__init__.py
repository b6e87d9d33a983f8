"""Whether the idea deserves a plan."""
