"""A place to try the app in, without AWS and without Slack. Not deployed."""
