"""After the fit: prediction, relaxation, dynamics, vibrations; what to label next, and the loop of these."""
