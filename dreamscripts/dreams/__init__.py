"""From a picture and settings to a stream of iterates."""
