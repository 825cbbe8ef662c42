//! Writes SVG and HTML: text is always escaped, and elements are always closed.

use std::fmt::Write;

/// A writer of SVG or HTML. The output is the same on every platform.
#[derive(Default)]
pub(crate) struct Markup {
    text: String,
    open: Vec<&'static str>,
}

impl Markup {
    /// Returns a writer whose output starts with `prologue`, which is not escaped.
    pub(crate) fn new(prologue: &str) -> Self {
        Self { text: prologue.to_owned(), open: Vec::new() }
    }

    /// Writes a start tag without the closing bracket.
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

    /// Writes an element without content.
    pub(crate) fn leaf(&mut self, name: &str, attributes: &[(&str, &dyn Attribute)]) {
        self.tag(name, attributes);
        self.text.push_str("/>\n");
    }

    /// Writes an element with text content.
    pub(crate) fn text(&mut self, name: &str, attributes: &[(&str, &dyn Attribute)], content: &str) {
        self.tag(name, attributes);
        self.text.push('>');
        escape(content, &mut self.text);
        let _ = writeln!(self.text, "</{name}>");
    }

    /// Writes an element that holds text in which backticks mark code.
    pub(crate) fn prose(&mut self, name: &str, attributes: &[(&str, &dyn Attribute)], content: &str) {
        self.tag(name, attributes);
        self.text.push('>');
        let mut parts = content.split('`').peekable();
        let mut is_code = false;
        while let Some(part) = parts.next() {
            // A backtick without its other is text.
            let closed = is_code && parts.peek().is_some();
            let (before, after) = match (is_code, closed) {
                (true, true) => ("<code>", "</code>"),
                (true, false) => ("`", ""),
                (false, _) => ("", ""),
            };
            self.text.push_str(before);
            escape(part, &mut self.text);
            self.text.push_str(after);
            is_code = !is_code;
        }
        let _ = writeln!(self.text, "</{name}>");
    }

    /// Writes an element without content but an optional tooltip.
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

    /// Opens an element, to be ended by [`close`](Self::close).
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, &dyn Attribute)]) {
        self.tag(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Closes the element that was opened last.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// Writes markup, such as a complete picture, without escaping.
    pub(crate) fn embed(&mut self, document: &str) {
        self.text.push_str(document);
    }

    /// Closes all open elements and returns the document.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

/// A value of an attribute.
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

/// A length in pixels, rounded to hundredths.
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

/// Formats a number for the data of a path.
pub(crate) fn path_number(value: f64) -> String {
    let mut out = String::new();
    value.write(&mut out);
    out
}

/// Escapes special characters, and replaces control characters, which XML does not allow even when escaped.
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
    fn text_cannot_break_out_of_its_element() {
        let mut markup = Markup::default();
        markup.open("g", &[("class", &"a\"b'c<d")]);
        markup.text("text", &[], "</g> & \u{1b}[0m");
        assert_eq!(
            markup.finish(),
            "<g class=\"a&quot;b&#39;c&lt;d\">\n<text>&lt;/g&gt; &amp; \u{fffd}[0m</text>\n</g>\n"
        );
    }

    #[test]
    fn backticks_mark_code() {
        let prose = |text: &str| {
            let mut markup = Markup::default();
            markup.prose("p", &[], text);
            markup.finish()
        };
        assert_eq!(prose("Does `a <b>` pay?"), "<p>Does <code>a &lt;b&gt;</code> pay?</p>\n");
        assert_eq!(prose("a ` b"), "<p>a ` b</p>\n");
        assert_eq!(prose("`a`"), "<p><code>a</code></p>\n");
    }

    #[test]
    fn numbers_are_rounded_and_never_minus_zero() {
        assert_eq!([12.0, -0.001, 7.77777, 0.1 + 0.2].map(path_number), ["12", "0", "7.78", "0.3"]);
    }
}
