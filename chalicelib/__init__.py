"""All of signin-monitor that is deployed."""
