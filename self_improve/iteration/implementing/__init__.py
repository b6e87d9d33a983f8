"""The phase in which an agent writes code, and checks accept or refuse it."""
