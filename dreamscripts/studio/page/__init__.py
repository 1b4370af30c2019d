"""The page of the studio: HTML, CSS and JavaScript modules."""
