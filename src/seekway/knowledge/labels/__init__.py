"""What people say of datasets and documents: tags, and fields of metadata."""
