//! The same codebase on every device: how it is recognised and where it lies here.
