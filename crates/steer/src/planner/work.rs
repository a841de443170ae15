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

    /// Does something with so many hundredths of what is left.
    pub(super) fn part<T>(&mut self, hundredths: usize, does: impl FnOnce(&mut Self) -> T) -> T {
        let mut part = Self { left: self.left.saturating_mul(hundredths) / 100 };
        let given = part.left;
        let done = does(&mut part);
        self.left -= given - part.left;
        done
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
