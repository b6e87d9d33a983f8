"""The steps, one file each; the task graph follows from the artifacts that they read."""
