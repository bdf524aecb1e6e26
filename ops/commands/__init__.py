"""The commands of `python -m ops`, a module each."""
