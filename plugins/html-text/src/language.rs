//! The page's language: as declared, else guessed from the text.

use whatlang::Lang;

/// More text does not make the guess better, only slower.
const SAMPLE_CHARS_MAX: usize = 4_000;
/// Below this the guess is no better than dice.
const SAMPLE_LETTERS_MIN: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The `lang` attribute of `html` or `body`.
    Attribute,
    /// `<meta http-equiv="content-language">` or `og:locale`.
    Meta,
    Detected,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Meta => "meta",
            Self::Detected => "detected",
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Language {
    /// A language tag such as `en` or `pt-BR`.
    pub tag: String,
    pub source: Source,
    /// 0 to 1; declarations are not doubted.
    pub confidence: f64,
}

/// A well-formed language tag with its usual capitals, or nothing.
pub(crate) fn normalise(declared: &str) -> Option<String> {
    let first = declared.split(',').next().unwrap_or_default().trim().replace('_', "-");
    let mut parts = first.split('-');
    let primary = parts.next()?;
    if !(2..=3).contains(&primary.len()) || !primary.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let mut tag = primary.to_ascii_lowercase();
    for part in parts {
        if !(1..=8).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        tag.push('-');
        match part.len() {
            2 => tag.push_str(&part.to_ascii_uppercase()),
            4 if part.as_bytes()[0].is_ascii_alphabetic() => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Some(tag)
}

/// Trigram statistics (whatlang); nothing when there are too few letters.
pub(crate) fn detect(text: &str) -> Option<Language> {
    let sample: String = text.chars().take(SAMPLE_CHARS_MAX).collect();
    if sample.chars().filter(|c| c.is_alphabetic()).count() < SAMPLE_LETTERS_MIN {
        return None;
    }
    let guess = whatlang::detect(&sample)?;
    Some(Language {
        tag: tag(guess.lang()).to_owned(),
        source: Source::Detected,
        confidence: guess.confidence().clamp(0.0, 1.0),
    })
}

/// ISO 639-1 where there is a code, as `lang` attributes have it; else ISO 639-3.
fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        other => other.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_tags_are_checked_and_get_their_usual_capitals() {
        for (declared, expected) in [
            ("en", Some("en")),
            (" EN-us ", Some("en-US")),
            ("pt_BR", Some("pt-BR")),
            ("zh-hans-cn", Some("zh-Hans-CN")),
            ("de, en", Some("de")),
            ("es-419", Some("es-419")),
            ("", None),
            ("english language", None),
            ("{{lang}}", None),
            ("x", None),
            ("日本", None),
        ] {
            assert_eq!(normalise(declared).as_deref(), expected, "{declared:?}");
        }
    }

    #[test]
    fn languages_are_told_by_their_text() {
        for (text, expected) in [
            ("The quick brown fox jumps over the lazy dog and runs away from the hunters.", "en"),
            ("Der schnelle braune Fuchs springt über den faulen Hund und läuft davon.", "de"),
            ("これは日本語で書かれた短い文章です。とても簡単です。", "ja"),
            ("Съешь же ещё этих мягких французских булок, да выпей чаю.", "ru"),
        ] {
            let language = detect(text).expect("enough letters");
            assert_eq!(language.tag, expected);
            assert!((0.0..=1.0).contains(&language.confidence));
        }
        assert_eq!(detect("12345 !!! ok"), None);
    }
}
