"""Texts: the rules that prepare them. Tokenizers and models are on the way."""
