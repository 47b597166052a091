"""`vivace predict`: an exported model on new files or rows; a file for each kind of input or result."""
