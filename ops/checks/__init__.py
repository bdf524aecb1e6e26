"""What the doctor checks besides the checks of `chalicelib.health`."""
