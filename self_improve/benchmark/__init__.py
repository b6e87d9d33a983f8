"""Which generator to use when: searches on simulated landscapes whose truth is known."""
