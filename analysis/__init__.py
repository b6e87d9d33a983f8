"""Where numbers do not decide: two independent agents look, one synthesises, one assesses."""
