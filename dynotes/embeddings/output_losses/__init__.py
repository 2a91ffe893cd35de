"""What the hidden vectors of an embedding model have to predict, and by which loss."""
