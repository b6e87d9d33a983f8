"""What confines code that is not the user's own: its files, network, signals, environment."""
