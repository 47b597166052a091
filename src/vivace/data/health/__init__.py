"""Is this data fit to train on? Looks at every picture file, finds what is wrong with the whole, and reports it."""
