"""What the `vivace` command can do: a file for each command, which reads its options and calls the work."""
