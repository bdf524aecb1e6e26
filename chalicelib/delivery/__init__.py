"""A payload reaches the channel, or the queue that keeps it."""
