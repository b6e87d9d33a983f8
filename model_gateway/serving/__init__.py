"""Model servers that Plumbline starts, shares between commands and ends when they are idle."""
