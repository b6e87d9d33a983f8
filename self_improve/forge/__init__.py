"""Where pull requests live: GitHub, or a bare repository and a folder of Markdown beside it."""
