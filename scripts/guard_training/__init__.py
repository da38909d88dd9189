"""Trains the injection classifier that ships in seekway.pipeline.guardrails.classifier."""
