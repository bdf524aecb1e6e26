"""Which sign-ins should have been posted and were not, and is the way to the channel whole."""
