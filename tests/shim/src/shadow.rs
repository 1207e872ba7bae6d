//! The shadow of a folder: of each file the bytes that are durable, of each directory the entries.
//!
//! Files and directories go by identity, not by name: a rename moves no byte. Everything is written
//! beside its place and renamed, so the shadow is whole however the process ends.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Holds one byte for each moment of a watched process.
pub(crate) const EVENTS: &str = "events";
const CHUNK_BYTES: usize = 64 << 10;
/// MAX_HANDLE_SZ of the system.
const HANDLE_BYTES_MAX: usize = 128;

/// A file or directory for as long as it exists, whatever its name. Digest of the handle that the
/// system has for it: numbers of inodes are used again, at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identity(u128);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    kind: libc::c_int,
    data: [u8; HANDLE_BYTES_MAX],
}

impl Identity {
    pub(crate) fn of(path: &Path) -> io::Result<Identity> {
        let name = CString::new(path.as_os_str().as_bytes())?;
        let data = [0; HANDLE_BYTES_MAX];
        let mut handle = Handle { bytes: HANDLE_BYTES_MAX as libc::c_uint, kind: 0, data };
        let (mut mount, place) = (0, (&raw mut handle).cast::<libc::file_handle>());
        let follow = libc::AT_SYMLINK_FOLLOW;
        // SAFETY: `name` ends with a NUL. A file_handle is these two numbers, followed by as many
        // bytes as the first of them says there is room for.
        let failed = unsafe {
            libc::name_to_handle_at(libc::AT_FDCWD, name.as_ptr(), place, &raw mut mount, follow)
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        // Source: FNV-1a, 128 bits.
        let mut digest = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
        for byte in handle.data.iter().take(handle.bytes as usize) {
            digest = (digest ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
        Ok(Identity(digest))
    }

    pub(crate) fn of_file(file: &File) -> io::Result<Identity> {
        Identity::of(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
    }

    fn parse(text: &str) -> Option<Identity> {
        u128::from_str_radix(text, 16).ok().map(Identity)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) identity: Identity,
    pub(crate) is_directory: bool,
}

/// What a directory lists now.
pub(crate) fn entries(directory: &Path) -> io::Result<BTreeMap<OsString, Entry>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let identity = match Identity::of(&entry.path()) {
            Ok(identity) => identity,
            // Removed beside us.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.insert(
            entry.file_name(),
            Entry { identity, is_directory: entry.file_type()?.is_dir() },
        );
    }
    Ok(found)
}

pub(crate) struct Shadow {
    folder: PathBuf,
}

impl Shadow {
    /// The folder exists.
    pub(crate) fn new(folder: &Path) -> Shadow {
        Shadow { folder: folder.to_path_buf() }
    }

    fn place(&self, kind: &str, identity: Identity) -> PathBuf {
        self.folder.join(format!("{kind}-{identity}"))
    }

    /// The durable bytes of a file, if it has any.
    pub(crate) fn file(&self, identity: Identity) -> Option<PathBuf> {
        Some(self.place("file", identity)).filter(|path| path.exists())
    }

    /// The durable entries of a directory; none if it was never made durable.
    pub(crate) fn directory(&self, identity: Identity) -> io::Result<BTreeMap<OsString, Entry>> {
        let text = match fs::read(self.place("directory", identity)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            text => text?,
        };
        let lines = text.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let lines = lines.map(|line| {
            let mut words = line.splitn(3, |byte| *byte == b' ');
            let (kind, identity) = (words.next()?, std::str::from_utf8(words.next()?).ok()?);
            let name = OsString::from_vec(words.next()?.to_vec());
            let identity = Identity::parse(identity)?;
            Some((name, Entry { identity, is_directory: kind == b"d" }))
        });
        lines.collect::<Option<_>>().ok_or_else(|| io::Error::other("an unreadable shadow"))
    }

    /// All bytes of a file become durable.
    pub(crate) fn keep_file(&self, file: &File) -> io::Result<()> {
        let len = file.metadata()?.len();
        self.publish("file", Identity::of_file(file)?, |copy| {
            copy_data(file, copy, 0, len)?;
            copy.set_len(len)
        })
    }

    /// Some pages of a mapped file become durable, and its size, without which they would be lost.
    pub(crate) fn keep_pages(&self, file: &File, from: u64, bytes: u64) -> io::Result<()> {
        let (identity, len) = (Identity::of_file(file)?, file.metadata()?.len());
        let end = len.min(from.saturating_add(bytes));
        let old = match self.file(identity) {
            Some(old) if from > 0 || end < len => File::open(old)?,
            _ if from == 0 && end == len => return self.keep_file(file),
            _ => {
                return self.publish("file", identity, |copy| {
                    copy_data(file, copy, from, end)?;
                    copy.set_len(len)
                });
            }
        };
        self.publish("file", identity, |copy| {
            copy_data(&old, copy, 0, old.metadata()?.len().min(len))?;
            copy.set_len(len)?;
            copy_all(file, copy, from, end)
        })
    }

    /// What a directory lists becomes durable: names, not what is in them.
    pub(crate) fn keep_directory(&self, directory: &Path) -> io::Result<()> {
        let identity = Identity::of(directory)?;
        let mut text = Vec::new();
        for (name, entry) in entries(directory)? {
            let kind = if entry.is_directory { "d" } else { "f" };
            text.extend_from_slice(format!("{kind} {} ", entry.identity).as_bytes());
            text.extend_from_slice(name.as_bytes());
            text.push(0);
        }
        self.publish("directory", identity, |copy| copy.write_all_at(&text, 0))
    }

    /// Everything below a directory, as after a clean shutdown.
    pub(crate) fn keep_all(&self, directory: &Path) -> io::Result<()> {
        for (name, entry) in entries(directory)? {
            let path = directory.join(name);
            let kept = match entry.is_directory {
                true => self.keep_all(&path),
                false => File::open(&path).and_then(|file| self.keep_file(&file)),
            };
            match kept {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                kept => kept?,
            }
        }
        self.keep_directory(directory)
    }

    fn publish(
        &self,
        kind: &str,
        identity: Identity,
        write: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let unfinished = self.folder.join("unfinished");
        write(&File::create(&unfinished)?)?;
        fs::rename(&unfinished, self.place(kind, identity))
    }
}

/// Copies a range between equal offsets, holes left out.
pub(crate) fn copy_data(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    let mut at = start;
    while at < end {
        let Some(data) = seek(from, at, libc::SEEK_DATA)?.filter(|data| *data < end) else { break };
        let hole = seek(from, data, libc::SEEK_HOLE)?.unwrap_or(end).min(end);
        copy_all(from, to, data, hole)?;
        at = hole;
    }
    Ok(())
}

fn copy_all(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = start;
    while at < end {
        let wanted = CHUNK_BYTES.min((end - at) as usize);
        let read = from.read_at(&mut chunk[..wanted], at)?;
        if read == 0 {
            // Cut shorter beside us.
            break;
        }
        to.write_all_at(&chunk[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

/// `None` behind the last data.
fn seek(file: &File, at: u64, whence: libc::c_int) -> io::Result<Option<u64>> {
    // SAFETY: lseek takes numbers only, and the descriptor is open.
    let found = unsafe { libc::lseek(file.as_raw_fd(), at as libc::off_t, whence) };
    if let Ok(found) = u64::try_from(found) {
        return Ok(Some(found));
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        error => Err(error),
    }
}
