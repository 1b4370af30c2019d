"""Settings files: their schema, how they are read, and explanations of mistakes in them."""
