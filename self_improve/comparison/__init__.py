"""Two sides of runs: are they comparable? measured, decided on, and shown."""
