"""The searches of the benchmark, and what they run on: the part that its rows depend on."""
