"""The rights that each function needs, and whether a policy grants them."""
