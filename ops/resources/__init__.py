"""What `setup` makes and `teardown` takes away, each with its plan."""
