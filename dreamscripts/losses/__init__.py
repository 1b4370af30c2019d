"""The terms of the loss: measures, which a dream maximises, and penalties."""
