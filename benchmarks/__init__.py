"""How fast, how dear and how storm-proof signin-monitor is, measured. Not deployed."""
