"""Who signs in from where: what is known of a person, and how a sign-in compares with it."""
