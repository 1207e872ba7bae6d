//! Which pages of which files are mapped where.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// How often a file that is renamed beside us is looked for.
const ATTEMPTS: u32 = 10;

/// Part of a file.
pub(crate) struct Pages {
    pub(crate) path: PathBuf,
    inode: u64,
    /// Of the mapping, to find it again.
    address: usize,
    pub(crate) from: u64,
    pub(crate) bytes: u64,
}

/// The shared mappings of files in a range of addresses.
pub(crate) fn find(address: usize, bytes: usize) -> io::Result<Vec<Pages>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter_map(|line| pages(line, address, bytes)).collect())
}

/// From a line such as `7f00-7f10 rw-s 00000000 fe:00 42 /data/file`.
fn pages(line: &str, address: usize, bytes: usize) -> Option<Pages> {
    let mut words = line.splitn(6, ' ');
    let (range, mode, offset) = (words.next()?, words.next()?, words.next()?);
    let (_device, inode, path) = (words.next()?, words.next()?, words.next()?.trim_start());
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let first = start.max(address);
    let last = end.min(address.saturating_add(bytes));
    if first >= last || !mode.contains('s') || !path.starts_with('/') {
        return None;
    }
    let offset = u64::from_str_radix(offset, 16).ok()?;
    Some(Pages {
        path: PathBuf::from(path),
        inode: inode.parse().ok()?,
        address: first,
        from: offset + (first - start) as u64,
        bytes: (last - first) as u64,
    })
}

impl Pages {
    /// `None` for a file that was deleted.
    pub(crate) fn open(&self) -> io::Result<Option<File>> {
        let mut path = self.path.clone();
        for _ in 0..ATTEMPTS {
            if path.as_os_str().to_string_lossy().ends_with(" (deleted)") {
                return Ok(None);
            }
            if let Ok(file) = File::open(&path)
                && file.metadata()?.ino() == self.inode
            {
                return Ok(Some(file));
            }
            match find(self.address, 1)?.pop() {
                Some(now) => path = now.path,
                None => return Ok(None),
            }
        }
        Err(io::Error::other(format!("{} is never where it is mapped", self.path.display())))
    }
}
