//! Floor 0: a transparency log after the C2SP formats. No socket, no file, no clock, no randomness: the roof brings them.
#![forbid(unsafe_code)]
