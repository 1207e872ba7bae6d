//! Element names, and what the extraction has to know about them.

type Names = &'static [&'static [u8]];

/// A lower-cased element name that is free to copy and compare. Longer ones are cut: no element of
/// the standard is, and two custom elements that share 15 bytes may close each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    len: u8,
    bytes: [u8; 15],
}

impl Name {
    /// The name as it stands in the source, in any case.
    pub(crate) fn new(source: &[u8]) -> Self {
        let mut name = Self { len: source.len().min(15) as u8, bytes: [0; 15] };
        for (to, from) in name.bytes.iter_mut().zip(source) {
            *to = from.to_ascii_lowercase();
        }
        name
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// 1 to 6 for `h1` to `h6`.
    pub(crate) fn heading_level(&self) -> Option<u8> {
        match self.as_bytes() {
            [b'h', digit @ b'1'..=b'6'] => Some(digit - b'0'),
            _ => None,
        }
    }

    /// Elements that never have content, so they are never open.
    pub(crate) fn is_void(&self) -> bool {
        matches!(
            self.as_bytes(),
            b"area"
                | b"base"
                | b"basefont"
                | b"bgsound"
                | b"br"
                | b"col"
                | b"embed"
                | b"frame"
                | b"hr"
                | b"img"
                | b"input"
                | b"keygen"
                | b"link"
                | b"meta"
                | b"param"
                | b"source"
                | b"track"
                | b"wbr"
        )
    }

    /// Elements whose content is not what the page says: code, controls, fallbacks, drawings.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(
            self.as_bytes(),
            b"applet"
                | b"audio"
                | b"button"
                | b"canvas"
                | b"datalist"
                | b"iframe"
                | b"map"
                | b"meter"
                | b"noembed"
                | b"noscript"
                | b"object"
                | b"progress"
                | b"script"
                | b"select"
                | b"style"
                | b"svg"
                | b"template"
                | b"textarea"
                | b"video"
        )
    }

    /// Elements that are page furniture whatever stands in them.
    pub(crate) fn is_furniture(&self) -> bool {
        matches!(self.as_bytes(), b"aside" | b"dialog" | b"footer" | b"menu" | b"nav")
    }

    /// Elements that begin and end a block of text.
    pub(crate) fn is_block(&self) -> bool {
        self.heading_level().is_some()
            || self.is_furniture()
            || self.closes_paragraph()
            || self.is_table_part()
            || matches!(
                self.as_bytes(),
                b"body"
                    | b"caption"
                    | b"frameset"
                    | b"head"
                    | b"html"
                    | b"legend"
                    | b"li"
                    | b"noframes"
                    | b"optgroup"
                    | b"option"
                    | b"dt"
                    | b"dd"
            )
    }

    /// Elements whose start ends an open `p`.
    pub(crate) fn closes_paragraph(&self) -> bool {
        self.heading_level().is_some()
            || matches!(
                self.as_bytes(),
                b"address"
                    | b"article"
                    | b"aside"
                    | b"blockquote"
                    | b"center"
                    | b"details"
                    | b"dialog"
                    | b"dd"
                    | b"dir"
                    | b"div"
                    | b"dl"
                    | b"dt"
                    | b"fieldset"
                    | b"figcaption"
                    | b"figure"
                    | b"footer"
                    | b"form"
                    | b"header"
                    | b"hgroup"
                    | b"hr"
                    | b"li"
                    | b"listing"
                    | b"main"
                    | b"menu"
                    | b"nav"
                    | b"ol"
                    | b"p"
                    | b"plaintext"
                    | b"pre"
                    | b"search"
                    | b"section"
                    | b"summary"
                    | b"table"
                    | b"ul"
                    | b"xmp"
            )
    }

    pub(crate) fn is_table_part(&self) -> bool {
        self.is_cell()
            || matches!(self.as_bytes(), b"table" | b"tbody" | b"tfoot" | b"thead" | b"tr")
    }

    pub(crate) fn is_cell(&self) -> bool {
        matches!(self.as_bytes(), b"td" | b"th")
    }

    /// Elements an end tag of something inside them can not close.
    pub(crate) fn is_barrier(&self) -> bool {
        self.is_cell()
            || matches!(
                self.as_bytes(),
                b"applet" | b"caption" | b"marquee" | b"object" | b"table" | b"template"
            )
    }

    pub(crate) fn keeps_whitespace(&self) -> bool {
        matches!(self.as_bytes(), b"listing" | b"plaintext" | b"pre" | b"xmp")
    }

    /// The open elements this start tag ends though they have no end tag, and the elements beyond
    /// which it does not look for them.
    pub(crate) fn implied_end(&self) -> Option<(Names, Names)> {
        Some(match self.as_bytes() {
            b"li" => (&[b"li"], &[b"ul", b"ol", b"menu", b"dir"]),
            b"dt" | b"dd" => (&[b"dt", b"dd"], &[b"dl"]),
            b"option" | b"optgroup" => (&[b"option"], &[b"select", b"datalist"]),
            b"td" | b"th" => (&[b"td", b"th", b"caption"], &[b"tr", b"table"]),
            b"tr" => (&[b"tr", b"caption"], &[b"table"]),
            b"tbody" | b"thead" | b"tfoot" => {
                (&[b"tbody", b"thead", b"tfoot", b"caption"], &[b"table"])
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_long_ones_are_cut() {
        assert_eq!(Name::new(b"DIV"), Name::new(b"div"));
        assert_ne!(Name::new(b"di"), Name::new(b"div"));
        assert_eq!(Name::new(b"a-very-long-custom-element").as_bytes(), b"a-very-long-cus");
        assert_eq!(Name::new(b"H3").heading_level(), Some(3));
        assert_eq!(Name::new(b"h7").heading_level(), None);
    }
}
