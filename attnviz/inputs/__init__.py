"""From texts and files to the tensors that a model reads, and the axes that name them."""
