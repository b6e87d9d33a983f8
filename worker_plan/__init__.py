"""The embedded host: a Luigi pipeline of steps that turns a plan text into a plan."""
