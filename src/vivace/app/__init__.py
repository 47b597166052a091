"""What runs as a program: the command line, training from a folder, the demo."""
