"""The phase in which an agent writes code, and checks decide about it."""
