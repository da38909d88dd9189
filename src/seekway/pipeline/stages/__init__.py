"""The stages, one a file; the pipeline's list says their order."""
