"""The named networks, with one module for each family."""
