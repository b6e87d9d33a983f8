"""The wire formats that foreign code speaks, one file each."""
