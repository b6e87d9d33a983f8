"""What "good" means for each step: one versioned YAML file a step, read and checked here."""
