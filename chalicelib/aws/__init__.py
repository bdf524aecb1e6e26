"""How AWS is asked."""
