"""Pure statistics: numbers in, numbers out; every function names its source."""
