"""A sign-in, or many, becomes a Slack payload. Pure."""
