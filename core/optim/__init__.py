"""How weights move: which parameters decay, by which rule they step, and how large each step is."""
