"""The local stage: its routes, and how it is started."""
