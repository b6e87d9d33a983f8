"""One cell, run in a forked child that can be killed."""
