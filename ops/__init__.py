"""The operator's commands: `python -m ops`. Never deployed."""
