"""What stands in `.chalice`, and what Chalice makes of it."""
