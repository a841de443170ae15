//! Pages for a browser: no script, one style sheet of our own, a search box that asks the daemon.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html as writer};

use crate::book::{Book, Page};
use crate::markdown::Names;

/// What pages look like.
pub const STYLE: &str = include_str!("manual.css");
/// Places that a search shows.
const HITS_MAX: usize = 50;
/// Where the pages are.
const ROOT: &str = "/manual/";

/// One page in its frame.
pub fn page(book: &Book, page: &Page) -> String {
    let pages = book.pages();
    let at = pages.iter().position(|other| other.path == page.path);
    let before = at.and_then(|at| pages.get(at.checked_sub(1)?));
    let after = at.and_then(|at| pages.get(at + 1));
    let mut body = body(&page.text);
    body.push_str("<nav class=\"turn\" aria-label=\"Pages before and after\">");
    for (page, rel, sign) in [(before, "prev", "← "), (after, "next", "→ ")] {
        if let Some(page) = page {
            let (path, title) = (&page.path, escaped(&page.title));
            body.push_str(&format!("<a rel=\"{rel}\" href=\"{ROOT}{path}\">{sign}{title}</a> "));
        }
    }
    body.push_str("</nav>");
    frame(book, &page.title, Some(page), "", &body)
}

/// What was found.
pub fn found(book: &Book, words: &str) -> String {
    let hits = book.search(words, HITS_MAX);
    let mut body =
        format!("<h1>Search</h1><p role=\"status\">{} places say <q>{}</q>", hits.len(), escaped(words));
    body.push_str(match hits.len() {
        0 => ": try fewer words, or one of the pages beside.</p>",
        HITS_MAX => ", and perhaps more.</p><ol class=\"hits\">",
        _ => ".</p><ol class=\"hits\">",
    });
    for hit in &hits {
        body.push_str(&format!(
            "<li><a href=\"{ROOT}{}#{}\">{}: {}</a><br><span>{}</span></li>",
            hit.page.path,
            escaped(hit.anchor),
            escaped(&hit.page.title),
            escaped(hit.heading),
            escaped(hit.line.trim())
        ));
    }
    if !hits.is_empty() {
        body.push_str("</ol>");
    }
    frame(book, "Search", None, words, &body)
}

/// A page that is not there.
pub fn missing(book: &Book, name: &str) -> String {
    let body = format!(
        "<h1>There is no such page</h1><p>The manual has no <code>{}</code>. Search for it, or take one of the pages beside.</p>",
        escaped(name)
    );
    frame(book, "No such page", None, "", &body)
}

fn frame(book: &Book, title: &str, page: Option<&Page>, words: &str, body: &str) -> String {
    let mut contents = String::new();
    let mut part = "";
    let mut open = false;
    for one in book.pages() {
        if one.part != part || !open {
            if open {
                contents.push_str("</ul>");
            }
            if !one.part.is_empty() {
                contents.push_str(&format!("<h2>{}</h2>", escaped(&one.part)));
            }
            contents.push_str("<ul>");
            (part, open) = (&one.part, true);
        }
        let here = if page.is_some_and(|page| page.path == one.path) { " aria-current=\"page\"" } else { "" };
        contents.push_str(&format!(
            "<li><a href=\"{ROOT}{}\"{here}>{}</a></li>",
            one.path,
            escaped(&one.title)
        ));
    }
    if open {
        contents.push_str("</ul>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Spillway manual</title><link rel=\"stylesheet\" href=\"{ROOT}manual.css\"></head><body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\
         <header><a class=\"name\" href=\"{ROOT}\">Spillway manual</a> <a href=\"/\">Dashboard</a>\
         <form action=\"{ROOT}search\" method=\"get\" role=\"search\"><label for=\"q\">Search</label> \
         <input id=\"q\" name=\"q\" type=\"search\" maxlength=\"200\" value=\"{words}\"> <button>Find</button></form></header>\n\
         <div class=\"columns\"><nav class=\"contents\" aria-label=\"Contents\">{contents}</nav>\n\
         <main id=\"main\" tabindex=\"-1\">{body}</main></div></body></html>\n",
        title = escaped(title),
        words = escaped(words),
    )
}

/// Markdown as HTML. HTML in it is not taken: comments go, the rest is text.
fn body(text: &str) -> String {
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut names = Names::default();
    // where a heading began, and its words
    let mut heading: Option<(usize, String)> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                if !html.trim_start().starts_with("<!--") {
                    events.push(Event::Text(html));
                }
            }
            Event::Start(Tag::Heading { .. }) => {
                heading = Some((events.len(), String::new()));
                events.push(event);
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((at, words)) = heading.take()
                    && let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(at)
                {
                    *id = Some(CowStr::from(names.of(&words)));
                }
                events.push(event);
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = linked(&dest_url).into();
                events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let whose = match info.as_ref() {
                    "console root" => Some("as root, on a machine of yours:"),
                    "console elsewhere" => Some("on a machine of yours, with what it takes:"),
                    _ => None,
                };
                if let Some(whose) = whose {
                    events.push(Event::Html(format!("<p class=\"kind\">{whose}</p>").into()));
                }
                events.push(Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))));
            }
            Event::Text(words) => {
                if let Some((_, said)) = &mut heading {
                    said.push_str(&words);
                }
                events.push(Event::Text(words));
            }
            Event::Code(words) => {
                if let Some((_, said)) = &mut heading {
                    said.push_str(&words);
                }
                events.push(Event::Code(words));
            }
            other => events.push(other),
        }
    }
    let mut out = String::new();
    writer::push_html(&mut out, events.into_iter());
    // wide ones scroll by themselves, and keys reach them
    out.replace("<pre>", "<pre tabindex=\"0\">")
        .replace("<table>", "<div class=\"wide\" tabindex=\"0\"><table>")
        .replace("</table>", "</table></div>")
}

/// Pages are served without `.md`.
fn linked(target: &str) -> String {
    if target.contains("://") { target.to_owned() } else { target.replace(".md", "") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_page_or_a_question_becomes_markup_by_itself() {
        let html = body("# A <b>\n\n<!-- runs: daemon -->\n<script>x</script>\n\n[y](../z.md#w) `<i>`\n");
        assert!(html.contains("<h1 id=\"a\">A &lt;b&gt;"), "{html}");
        assert!(
            !html.contains("<script") && !html.contains("runs: daemon") && !html.contains("<i>"),
            "{html}"
        );
        assert!(html.contains("href=\"../z#w\""), "{html}");
        let html = found(&Book::new(&[]), "\"><script>");
        assert!(!html.contains("<script>") && html.contains("&quot;&gt;&lt;script&gt;"), "{html}");
        assert!(!missing(&Book::new(&[]), "<script>").contains("<script>"));
    }
}
