"""The networks that have a name, a module for each family."""
