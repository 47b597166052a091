"""`vivace clean`: the cleaner as a page of this machine, for those without a notebook."""
