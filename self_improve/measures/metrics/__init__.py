"""The metrics, one file each: a file put here is a metric that rubrics can name."""
