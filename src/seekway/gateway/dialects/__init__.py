"""Pure translators between a wire dialect and :mod:`seekway.core.types`; none of them does input or output."""
