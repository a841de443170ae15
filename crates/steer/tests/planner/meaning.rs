//! What each sentence of the meaning says.
