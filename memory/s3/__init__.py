"""Objects in a service that speaks the S3 API. The only folder that knows minio."""
