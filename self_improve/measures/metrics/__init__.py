"""The metrics that rubrics can name: a file put here is one, or several in its `METRICS`."""
