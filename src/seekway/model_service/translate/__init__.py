"""Canonical types to protobuf and back, complete and lossless; deadlines travel as gRPC's own."""
