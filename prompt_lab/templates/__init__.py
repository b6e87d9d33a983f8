"""The files that `init` copies into a new data repo."""
