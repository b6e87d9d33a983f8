"""The phase that chooses the candidates of an iteration."""
