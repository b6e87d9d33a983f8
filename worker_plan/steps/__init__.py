"""One file per step. The task graph follows from what each reads: there is no list to keep."""
