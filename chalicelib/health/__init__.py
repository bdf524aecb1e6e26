"""Checks of the way from a sign-in to the channel: one code for doctor and self-check."""
