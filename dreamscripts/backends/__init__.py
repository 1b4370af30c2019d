"""Where passes run: compiling them for TensorFlow, JAX and PyTorch, the machine, and the start of the command."""
