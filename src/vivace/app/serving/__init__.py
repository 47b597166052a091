"""`vivace serve`: a model behind HTTP, with a page to try it."""
