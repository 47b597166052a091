"""Look through pictures, mark those that are wrong, and carry the marks out: one engine, a notebook's and a page's."""
