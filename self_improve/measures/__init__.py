"""A cell as numbers, by its step's rubric."""
