"""Jobs: dreams and films in a queue on the disk, and the worker process that makes them."""
