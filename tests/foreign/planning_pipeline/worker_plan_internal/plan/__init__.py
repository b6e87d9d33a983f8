"""The pipeline: its tasks, and what they share."""
