"""What the model may call; knows memory's protocols, not who asks and not how."""
