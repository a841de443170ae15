//! A filter's text in pieces.

use super::parse::BadFilter;

/// A piece and where it begins, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Where.
    pub(super) at: usize,
    /// What.
    pub(super) what: Piece<'a>,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A name, number, address or time.
    Word(&'a str),
    /// A text in double quotes, without them.
    Quoted(&'a str),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `(`, `)`, `,`.
    Sign(&'static str),
}

/// Signs, the longer ones first.
const SIGNS: [(&str, &str); 11] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("(", "("),
    (")", ")"),
    (",", ","),
];

/// All pieces.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, BadFilter> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let (what, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if let Some(body) = rest.strip_prefix('"') {
            let end = body.find('"').ok_or_else(|| BadFilter::at(at, "this quote has no end"))?;
            (Piece::Quoted(body.get(..end).unwrap_or_default()), end + 2)
        } else if let Some((sign, meaning)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            (Piece::Sign(meaning), sign.len())
        } else {
            let is_word = |c: char| c.is_alphanumeric() || ".:/-_*+@".contains(c);
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if length == 0 {
                return Err(BadFilter::at(
                    at,
                    format!("`{first}` has no meaning here; quote texts like \"a b\""),
                ));
            }
            (Piece::Word(rest.get(..length).unwrap_or_default()), length)
        };
        out.push(Token { at, what });
        at += length;
    }
    Ok(out)
}
