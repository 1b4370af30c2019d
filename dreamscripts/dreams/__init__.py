"""Dreams: turn a picture and settings into a series of iterates."""
