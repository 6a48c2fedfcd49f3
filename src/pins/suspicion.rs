//! Texts in a descriptor.
