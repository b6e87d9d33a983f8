"""The phase that settles which candidates an iteration judges."""
