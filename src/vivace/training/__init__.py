"""Learning: the loop, what listens to it, and what it is made of."""
