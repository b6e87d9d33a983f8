"""What the model is to reply with."""

from pydantic import BaseModel, Field


class Item(BaseModel):
    """One thing that somebody lost."""

    thing: str = Field(description="What it is, in two to five words.")
    found_at: str = Field(description="The place where it was picked up.")


class SortedItems(BaseModel):
    """All things of one day."""

    items: list[Item] = Field(description="The things, in the order in which they came in.")
