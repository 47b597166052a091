"""Texts: rules, tokens, vocabularies, loaders."""
