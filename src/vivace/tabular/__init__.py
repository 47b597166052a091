"""Tables: preparing data frames. Models on them are on the way."""
