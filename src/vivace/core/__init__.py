"""The words every layer shares: `L`, semantic types, devices, randomness, files, showing, reporting, errors."""
