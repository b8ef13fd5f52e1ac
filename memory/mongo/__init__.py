"""The durable stores on MongoDB. The only folder that knows pymongo."""
