"""The objective of an optimizer: the loss of a picture and its gradient."""
