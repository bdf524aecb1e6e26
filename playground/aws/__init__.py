"""An embedded AWS, and stand-ins for what it lacks."""
