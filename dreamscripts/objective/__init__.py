"""What an optimizer asks: the loss of a picture and its gradient."""
