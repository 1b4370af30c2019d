"""Networks: built or loaded, cut at layers, and described."""
