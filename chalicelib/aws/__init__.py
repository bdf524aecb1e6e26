"""How AWS is asked: clients, error codes, the event history, links to the console."""
