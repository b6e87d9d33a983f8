"""What a generator works with: proposals, trials, admission, budget, and the host's cells."""
