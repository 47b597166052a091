"""`vivace train`: from a folder or a table to a trained, saved and explained model; a file for each kind of task."""
