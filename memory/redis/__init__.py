"""The fast stores on Redis or Valkey, plain commands only. The only folder that knows redis."""
