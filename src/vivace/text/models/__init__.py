"""Models for texts: an LSTM with dropout everywhere, and those of Hugging Face."""
