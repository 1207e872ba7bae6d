//! Just enough of tar: regular files, so that a backup can be looked at with the tools everybody
//! has. POSIX ustar; long names and large files through pax records.
//!
//! Source: IEEE Std 1003.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".

use std::io::{self, ErrorKind, Read, Write};

const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
/// What eleven octal digits hold.
const BYTES_MAX: u64 = (1 << 33) - 1;
/// Of a pax header: names are paths, nobody needs more.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;
const FILE: u8 = b'0';
const EXTENSION: u8 = b'x';

pub(super) struct TarWriter<W> {
    to: W,
}

impl<W: Write> TarWriter<W> {
    pub(super) fn new(to: W) -> Self {
        TarWriter { to }
    }

    /// `from` has to have at least `bytes` bytes; no more are taken.
    pub(super) fn file(&mut self, name: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut extension = Vec::new();
        if name.len() > NAME_BYTES {
            extension.extend(record("path", name));
        }
        if bytes > BYTES_MAX {
            extension.extend(record("size", &bytes.to_string()));
        }
        if !extension.is_empty() {
            self.to.write_all(&header("pax", extension.len() as u64, EXTENSION))?;
            self.to.write_all(&extension)?;
            self.pad(extension.len() as u64)?;
        }
        self.to.write_all(&header(name, bytes, FILE))?;
        let copied = io::copy(&mut from.take(bytes), &mut self.to)?;
        if copied != bytes {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("{name} became shorter")));
        }
        self.pad(bytes)
    }

    fn pad(&mut self, bytes: u64) -> io::Result<()> {
        self.to.write_all(&[0; BLOCK][..padding(bytes)])
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }
}

fn padding(bytes: u64) -> usize {
    (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK
}

/// `LENGTH key=value\n`, where the length counts its own digits.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

fn header(name: &str, bytes: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    let cut = (0..=NAME_BYTES).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    put(0, if name.len() <= NAME_BYTES { name } else { &name[..cut] });
    put(100, "0000600");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", bytes.min(BYTES_MAX)));
    put(136, "00000000000");
    put(148, "        ");
    put(257, "ustar");
    put(263, "00");
    block[156] = kind;
    let sum = checksum(&block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// The sum of the bytes, those of the checksum taken as spaces.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let at =
        |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) };
    block.iter().enumerate().map(at).sum()
}

/// A file; its bytes are what the reader gives until the next one is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TarFile {
    pub(super) name: String,
    pub(super) bytes: u64,
}

pub(super) struct TarReader<R> {
    from: R,
    left: u64,
    padding: usize,
}

impl<R: Read> TarReader<R> {
    pub(super) fn new(from: R) -> Self {
        TarReader { from, left: 0, padding: 0 }
    }

    /// The next file, past what was left of the last one.
    pub(super) fn next(&mut self) -> io::Result<Option<TarFile>> {
        let (mut name, mut size) = (None, None);
        loop {
            io::copy(self, &mut io::sink())?;
            let mut rest = [0; BLOCK];
            self.from.read_exact(&mut rest[..self.padding])?;
            let mut block = [0; BLOCK];
            self.from.read_exact(&mut block)?;
            if block == [0; BLOCK] {
                return Ok(None);
            }
            let stored = octal(&block[148..156])?;
            if stored != u64::from(checksum(&block)) {
                return Err(wrong("a header does not match its checksum"));
            }
            (self.left, self.padding) = (octal(&block[124..136])?, 0);
            match block[156] {
                EXTENSION if self.left <= EXTENSION_BYTES_MAX => {
                    self.padding = padding(self.left);
                    let mut text = String::new();
                    self.read_to_string(&mut text)?;
                    (name, size) = extension(&text)?;
                }
                FILE | 0 => {
                    self.left = size.unwrap_or(self.left);
                    self.padding = padding(self.left);
                    let short = block[..NAME_BYTES].split(|byte| *byte == 0).next();
                    let short = std::str::from_utf8(short.unwrap_or_default());
                    let name = match name {
                        Some(name) => name,
                        None => short.map_err(|_| wrong("a name is not text"))?.to_string(),
                    };
                    return Ok(Some(TarFile { name, bytes: self.left }));
                }
                kind => return Err(wrong(&format!("an entry has the type {:?}", kind as char))),
            }
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.from.read(&mut into[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file is cut off"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn octal(field: &[u8]) -> io::Result<u64> {
    let digits = field.iter().filter(|byte| !matches!(**byte, 0 | b' '));
    digits.copied().try_fold(0u64, |number, digit| match digit {
        b'0'..=b'7' => Ok(number << 3 | u64::from(digit - b'0')),
        _ => Err(wrong("a header has a number that is none")),
    })
}

/// Path and size of a pax header.
fn extension(text: &str) -> io::Result<(Option<String>, Option<u64>)> {
    let (mut name, mut size) = (None, None);
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.split(' ').next().and_then(|digits| digits.parse::<usize>().ok());
        let record =
            length.and_then(|length| rest.get(..length)).filter(|record| !record.is_empty());
        let record = record.ok_or_else(|| wrong("a pax header can not be read"))?;
        rest = &rest[record.len()..];
        let pair = record.trim_end_matches('\n').split_once(' ').map_or("", |(_, pair)| pair);
        match pair.split_once('=') {
            Some(("path", value)) => name = Some(value.to_string()),
            Some(("size", value)) => {
                size = Some(value.parse().map_err(|_| wrong("a pax size is no number"))?);
            }
            Some(_) => {}
            None => return Err(wrong("a pax header can not be read")),
        }
    }
    Ok((name, size))
}
