//! Digits in groups, as in `4111 1111 1111 1111`.

/// Most digits that are read: those of the longest card.
pub const DIGITS_MAX: usize = 19;

#[derive(Clone, Copy, Default)]
pub struct Group {
    /// How many digits there are, up to and with this group.
    pub total: usize,
    /// Where it ends in the text.
    pub end: usize,
}

pub struct Digits {
    digits: [u8; DIGITS_MAX],
    groups: [Group; DIGITS_MAX],
    count: usize,
}

impl Digits {
    /// Reads groups from `start` on; `gap` says how many bytes stand between one and the next.
    pub fn read(text: &str, start: usize, gap: fn(&str) -> Option<usize>) -> Self {
        let mut read =
            Self { digits: [0; DIGITS_MAX], groups: [Group::default(); DIGITS_MAX], count: 0 };
        let (mut at, mut total) = (start, 0);
        loop {
            let left = DIGITS_MAX - total;
            let bytes = &text.as_bytes()[at..];
            let group = bytes.iter().take(left + 1).take_while(|byte| byte.is_ascii_digit());
            let group = group.count();
            if group == 0 || group > left {
                return read;
            }
            for (digit, byte) in read.digits[total..].iter_mut().zip(&bytes[..group]) {
                *digit = byte - b'0';
            }
            (at, total) = (at + group, total + group);
            read.groups[read.count] = Group { total, end: at };
            read.count += 1;
            match gap(&text[at..]) {
                Some(bytes) if total < DIGITS_MAX => at += bytes,
                _ => return read,
            }
        }
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups[..self.count]
    }

    /// The digits up to and with those of `group`.
    pub fn until(&self, group: Group) -> &[u8] {
        &self.digits[..group.total]
    }

    /// How many digits each group has.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        let mut before = 0;
        self.groups()
            .iter()
            .map(move |group| group.total - std::mem::replace(&mut before, group.total))
    }
}
