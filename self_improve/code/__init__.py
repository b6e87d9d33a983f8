"""The pipeline as source under git: commits, worktrees, and texts put into files."""
