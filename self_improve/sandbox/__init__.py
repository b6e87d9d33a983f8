"""What confines code that is not the user's own: files, network, signals, environment."""
