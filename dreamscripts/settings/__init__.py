"""Settings files: what they may say, how they are read, and their mistakes in plain words."""
