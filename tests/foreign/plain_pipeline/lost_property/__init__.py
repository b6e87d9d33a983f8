"""A lost property office that knows nothing of any optimizer."""
