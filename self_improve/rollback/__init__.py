"""Going back: the pull request that restores an earlier best of a step."""
