"""What the record of a run says, in today's form and in older ones."""
