"""A receiver that answers as Slack does."""
