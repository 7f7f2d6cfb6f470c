"""One migration a module, applied in the order of `down_revision`; never changed once released."""
