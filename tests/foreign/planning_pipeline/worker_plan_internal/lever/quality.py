"""What is asked of every text about levers."""

LEVER_QUALITY = """\
Stay with this plan: a sentence that would fit any other undertaking is of no use here. Name who \
decides, and what is given up by deciding so. Write in the language of the plan."""
