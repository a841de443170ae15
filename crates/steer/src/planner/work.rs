//! How long may be thought, in work that is counted: the same input thinks the same thoughts on every machine.

/// What is left of an allowance of looks at single ways of treating a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    left: usize,
}

impl Work {
    /// So many looks.
    pub(super) const fn new(looks: usize) -> Self {
        Self { left: looks }
    }

    /// Notes looks.
    pub(super) const fn spend(&mut self, looks: usize) {
        self.left = self.left.saturating_sub(looks);
    }

    /// Whether there is none left.
    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Looks that are left.
    pub(super) const fn left(&self) -> usize {
        self.left
    }
}
