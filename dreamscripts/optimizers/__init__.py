"""What changes the pixels."""
