"""Who can sign in to the console without MFA, by IAM's credential report."""
