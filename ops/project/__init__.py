"""The project's own files: `.chalice`, and what the deployment packs."""
