//! Writing SVG and HTML: elements, attributes and text, always escaped and always closed.

use std::fmt::Write;

/// A document as it is written.
///
/// It stays this small on purpose: what pictures need of XML is elements, attributes and text, and every byte of the
/// output is then the same on every platform.
#[derive(Default)]
pub(crate) struct Markup {
    text: String,
    open: Vec<&'static str>,
}

impl Markup {
    /// Begins with a prologue, as it is.
    pub(crate) fn new(prologue: &str) -> Self {
        Self { text: prologue.to_owned(), open: Vec::new() }
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &dyn Attribute)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            value.write(&mut self.text);
            self.text.push('"');
        }
    }

    /// An element without content.
    pub(crate) fn leaf(&mut self, name: &str, attributes: &[(&str, &dyn Attribute)]) {
        self.tag(name, attributes);
        self.text.push_str("/>\n");
    }

    /// An element that holds only text.
    pub(crate) fn text(&mut self, name: &str, attributes: &[(&str, &dyn Attribute)], content: &str) {
        self.tag(name, attributes);
        self.text.push('>');
        escape(content, &mut self.text);
        let _ = writeln!(self.text, "</{name}>");
    }

    /// An element with a tooltip; without one where that is `None`.
    pub(crate) fn leaf_with_tooltip(
        &mut self,
        name: &str,
        attributes: &[(&str, &dyn Attribute)],
        tooltip: Option<&str>,
    ) {
        let Some(tooltip) = tooltip else { return self.leaf(name, attributes) };
        self.tag(name, attributes);
        self.text.push_str("><title>");
        escape(tooltip, &mut self.text);
        let _ = writeln!(self.text, "</title></{name}>");
    }

    /// Opens an element; [`close`](Self::close) ends it.
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, &dyn Attribute)]) {
        self.tag(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Ends the element that was opened last.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// A document of its own, such as a picture, put in as it is.
    pub(crate) fn embed(&mut self, document: &str) {
        self.text.push_str(document);
    }

    /// The document, with everything closed that is open.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

/// The value of an attribute.
pub(crate) trait Attribute {
    fn write(&self, out: &mut String);
}

impl Attribute for &str {
    fn write(&self, out: &mut String) {
        escape(self, out);
    }
}

impl Attribute for String {
    fn write(&self, out: &mut String) {
        escape(self, out);
    }
}

/// A length in pixels, to a hundredth.
impl Attribute for f64 {
    fn write(&self, out: &mut String) {
        let hundredths = (self * 100.0).round();
        let _ = write!(out, "{}", if hundredths == 0.0 { 0.0 } else { hundredths / 100.0 });
    }
}

impl Attribute for usize {
    fn write(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}

/// A number as a path's data takes it.
pub(crate) fn number(value: f64) -> String {
    let mut out = String::new();
    value.write(&mut out);
    out
}

/// XML has no place for most control characters, not even escaped.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_cannot_break_out_of_its_place() {
        let mut markup = Markup::default();
        markup.open("g", &[("class", &"a\"b'c<d")]);
        markup.text("text", &[], "</g> & \u{1b}[0m");
        assert_eq!(
            markup.finish(),
            "<g class=\"a&quot;b&#39;c&lt;d\">\n<text>&lt;/g&gt; &amp; \u{fffd}[0m</text>\n</g>\n"
        );
    }

    #[test]
    fn lengths_are_rounded_and_never_minus_zero() {
        assert_eq!([12.0, -0.001, 7.77777, 0.1 + 0.2].map(number), ["12", "0", "7.78", "0.3"]);
    }
}
