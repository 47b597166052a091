"""What listens to the training loop: one subject a file."""
