//! What a document promises: trees, readers, messages.
