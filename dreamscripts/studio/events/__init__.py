"""Events of the studio: from the worker to every open page."""
