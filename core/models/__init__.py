"""Networks: a list of layers or the user's own function, as numbered units between named inputs and outputs."""
