"""Measures how fast and how expensive signin-monitor is, and how it takes a storm. Not deployed."""
