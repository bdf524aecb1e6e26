"""What happened, and how much it matters: a sign-in read from its event, and assessed. Pure."""
