//! What somebody sees: everything, or what lies inside prefixes of their own.

use base::Prefix;

/// Sets of prefixes, in each of which something must lie to be seen; without a set, everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<Vec<Prefix>>);

impl Scope {
    /// Of everything.
    pub const fn everything() -> Self {
        Self(Vec::new())
    }

    /// Of these prefixes; none: of nothing.
    pub fn of(prefixes: Vec<Prefix>) -> Self {
        Self(vec![prefixes])
    }

    /// What both see.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The sets of prefixes, in each of which something must lie to be seen.
    pub fn sets(&self) -> impl Iterator<Item = &[Prefix]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Whether it is of everything.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of this prefix is seen.
    pub fn sees(&self, prefix: &Prefix) -> bool {
        self.0.iter().all(|own| own.iter().any(|one| one.covers(prefix)))
    }

    /// The smallest prefix of the first set that covers this one, where it is seen.
    pub fn around(&self, prefix: &Prefix) -> Option<Prefix> {
        let own = self.0.first()?;
        let fits = |one: &Prefix| one.covers(prefix) && self.sees(one);
        own.iter().copied().find(fits).or_else(|| self.sees(prefix).then_some(*prefix))
    }
}

/// Prefixes as one text, and back.
pub(crate) fn text(prefixes: &[Prefix]) -> String {
    prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A word that is no prefix is left out, and with it what it would have shown.
pub(crate) fn parse(text: &str) -> Vec<Prefix> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn no_prefix_is_nothing_and_no_set_is_everything() {
        assert!(Scope::everything().sees(&p("0.0.0.0/0")));
        assert!(!Scope::of(Vec::new()).sees(&p("192.0.2.1/32")));
    }

    #[test]
    fn both_must_see_it() {
        let wide = Scope::of(vec![p("192.0.2.0/24"), p("2001:db8::/32")]);
        let both = wide.clone().and(Scope::of(vec![p("192.0.2.128/25")]));
        assert!(wide.sees(&p("192.0.2.1/32")) && wide.sees(&p("2001:db8:1::/48")));
        assert!(!both.sees(&p("192.0.2.1/32")) && both.sees(&p("192.0.2.129/32")));
        assert!(!wide.sees(&p("192.0.2.0/23")));
        assert_eq!(wide.around(&p("192.0.2.1/32")), Some(p("192.0.2.0/24")));
        assert_eq!(wide.around(&p("198.51.100.1/32")), None);
    }
}
