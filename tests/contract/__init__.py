"""What is served is what is committed: schemas, OpenAPI, AsyncAPI, the contract itself."""
