"""What the benchmark of turns is made of: a fast model server, a load client, two yardsticks."""
