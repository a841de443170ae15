//! Guards of the house: what the floors may import, and what every crate and file owes the rest.

// clippy knows helpers of tests by this mark
#[cfg(test)]
mod house {
    mod files;
    mod floors;
    mod manifests;
    mod web;
    mod workspace;
}
