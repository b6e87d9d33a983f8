"""Pull requests: on GitHub, or in a bare repository with a folder of Markdown beside it."""
