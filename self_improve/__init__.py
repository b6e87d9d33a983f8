"""The optimizer: re-executes one step of a host pipeline, and judges what came of it."""
