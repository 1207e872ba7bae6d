//! The disk as it may be after a power cut: what is durable for certain, and of the rest some.

use super::dice::Dice;
use super::shadow::{Entry, Identity, Shadow, copy_data, entries};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const PAGE_BYTES: u64 = 4_096;

/// What becomes of that which nobody made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Kept,
    /// Each thing its own way; bytes may be torn.
    Either,
}

/// Of one power cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Directory entries: new, renamed, removed.
    pub(crate) names: Fate,
    /// Bytes of files.
    pub(crate) bytes: Fate,
}

impl Weather {
    pub(crate) fn roll(dice: &mut Dice) -> Weather {
        let mut fate = || match dice.below(4) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            _ => Fate::Either,
        };
        Weather { names: fate(), bytes: fate() }
    }
}

type Listing = BTreeMap<OsString, Entry>;

pub(crate) struct Disk<'a> {
    shadow: &'a Shadow,
    weather: Weather,
    dice: &'a mut Dice,
    /// Everything that is there now, by identity.
    live: HashMap<Identity, PathBuf>,
    /// Of what has another place than the durable one, whether the move reaches the disk. Not
    /// decided place by place: a rename is atomic, nothing is in both places or in none.
    moved: HashMap<Identity, bool>,
    /// Directories that something was moved into.
    needed: HashSet<Identity>,
}

/// Writes to `target` what a power cut leaves of the folder `live`, whose shadow is given.
pub(crate) fn cut(
    live: &Path,
    shadow: &Shadow,
    target: &Path,
    weather: Weather,
    dice: &mut Dice,
) -> Result<()> {
    let root = Identity::of(live)?;
    let (mut now, mut then) = (Places::default(), Places::default());
    now.walk(root, &|identity, path| {
        let path = live.join(path);
        Ok(if path.is_dir() && Identity::of(&path)? == identity {
            entries(&path)?
        } else {
            Listing::new()
        })
    })?;
    then.walk(root, &|identity, _| Ok(shadow.directory(identity)?))?;
    let mut disk = Disk {
        shadow,
        weather,
        dice,
        live: now.paths.iter().map(|(identity, path)| (*identity, live.join(path))).collect(),
        moved: HashMap::new(),
        needed: HashSet::new(),
    };
    let mut moved: Vec<_> = now.parents.iter().collect();
    // In an order that is the same for the same seed.
    moved.sort();
    for (identity, place) in moved {
        let before = then.parents.get(identity);
        if before.is_some_and(|before| before != place) && disk.dice.coin() {
            disk.moved.insert(*identity, true);
            let mut next = Some(&place.0);
            while let Some(parent) = next.filter(|parent| disk.needed.insert(**parent)) {
                next = now.parents.get(parent).map(|place| &place.0);
            }
        } else if before.is_some_and(|before| before != place) {
            disk.moved.insert(*identity, false);
        }
    }
    disk.directory(root, target)
}

/// A tree of directories, walked by what they list.
#[derive(Default)]
struct Places {
    /// The directory that lists a thing, and its name there.
    parents: HashMap<Identity, (Identity, OsString)>,
    paths: HashMap<Identity, PathBuf>,
}

impl Places {
    fn walk(
        &mut self,
        root: Identity,
        list: &dyn Fn(Identity, &Path) -> Result<Listing>,
    ) -> Result<()> {
        let mut waiting = vec![(root, PathBuf::new())];
        while let Some((directory, path)) = waiting.pop() {
            for (name, entry) in list(directory, &path)? {
                let below = path.join(&name);
                self.parents.insert(entry.identity, (directory, name));
                if entry.is_directory {
                    waiting.push((entry.identity, below.clone()));
                }
                self.paths.insert(entry.identity, below);
            }
            self.paths.insert(directory, path);
        }
        Ok(())
    }
}

impl Disk<'_> {
    fn directory(&mut self, identity: Identity, target: &Path) -> Result<()> {
        fs::create_dir(target).with_context(|| format!("can not make {}", target.display()))?;
        let durable = self.shadow.directory(identity)?;
        let now = match self.live.get(&identity) {
            Some(path) => entries(path)?,
            None => Listing::new(),
        };
        let mut names: Vec<&OsString> = durable.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let Some(entry) = self.entry(durable.get(name), now.get(name)) else { continue };
            let below = target.join(name);
            match entry.is_directory {
                true => self.directory(entry.identity, &below)?,
                false => self.file(entry.identity, &below)?,
            }
        }
        Ok(())
    }

    /// What a name stands for.
    fn entry(&mut self, durable: Option<&Entry>, now: Option<&Entry>) -> Option<Entry> {
        if durable == now {
            return durable.copied();
        }
        match self.weather.names {
            Fate::Lost => return durable.copied(),
            Fate::Kept => return now.copied(),
            Fate::Either => {}
        }
        if let Some(now) = now {
            let kept = match self.moved.get(&now.identity) {
                Some(moved) => *moved,
                None => self.needed.contains(&now.identity) || self.dice.coin(),
            };
            if kept {
                return Some(*now);
            }
        }
        let durable = durable?;
        let kept = match self.moved.get(&durable.identity) {
            Some(moved) => !moved,
            // Removed, or replaced by something that did not reach the disk.
            None => now.is_some() || self.dice.coin(),
        };
        kept.then_some(*durable)
    }

    fn file(&mut self, identity: Identity, target: &Path) -> Result<()> {
        let open = |path: Option<PathBuf>| path.map(File::open).transpose();
        let durable = open(self.shadow.file(identity))?;
        let now = open(self.live.get(&identity).cloned())?;
        let copy = File::create(target)?;
        let way = match (self.weather.bytes, &now) {
            (Fate::Lost, _) | (_, None) => 0,
            (Fate::Kept, _) => 1,
            (Fate::Either, _) => self.dice.below(4),
        };
        match (way, &durable, &now) {
            // Never made durable: there is a name, and nothing in the file.
            (0, None, _) => Ok(()),
            (0, Some(durable), _) => whole(durable, &copy),
            (1, _, Some(now)) => whole(now, &copy),
            (2, durable, Some(now)) => self.prefix(durable.as_ref(), now, &copy),
            (_, durable, Some(now)) => self.pages(durable.as_ref(), now, &copy),
            (_, _, None) => Ok(()),
        }
    }

    /// The first bytes are new, to any byte.
    fn prefix(&mut self, durable: Option<&File>, now: &File, copy: &File) -> Result<()> {
        let (old_len, new_len) = (len(durable)?, now.metadata()?.len());
        let end = self.dice.below(new_len + 1);
        copy_data(now, copy, 0, end)?;
        if let Some(durable) = durable {
            copy_data(durable, copy, end, old_len)?;
        }
        Ok(copy.set_len(old_len.max(end))?)
    }

    /// Each page is the old or the new one, and so is the length.
    fn pages(&mut self, durable: Option<&File>, now: &File, copy: &File) -> Result<()> {
        let (old_len, new_len) = (len(durable)?, now.metadata()?.len());
        let len = if self.dice.coin() { old_len } else { new_len };
        if let Some(durable) = durable {
            copy_data(durable, copy, 0, old_len.min(len))?;
        }
        copy.set_len(len)?;
        let (mut old, mut new) = ([0; PAGE_BYTES as usize], [0; PAGE_BYTES as usize]);
        let mut at = 0;
        while at < len {
            let (old_read, new_read) =
                (read(durable, &mut old, at)?, read(Some(now), &mut new, at)?);
            if (old_read, &old) != (new_read, &new) && self.dice.coin() {
                let end = PAGE_BYTES.min(len - at) as usize;
                copy.write_all_at(&new[..end], at)?;
            }
            at += PAGE_BYTES;
        }
        Ok(())
    }
}

fn whole(from: &File, to: &File) -> Result<()> {
    let len = from.metadata()?.len();
    copy_data(from, to, 0, len)?;
    Ok(to.set_len(len)?)
}

fn len(file: Option<&File>) -> Result<u64> {
    Ok(match file {
        Some(file) => file.metadata()?.len(),
        None => 0,
    })
}

/// A page, zeros behind the end.
fn read(file: Option<&File>, page: &mut [u8], at: u64) -> Result<usize> {
    page.fill(0);
    let mut filled = 0;
    while let Some(file) = file {
        let read = file.read_at(&mut page[filled..], at + filled as u64)?;
        filled += read;
        if read == 0 || filled == page.len() {
            break;
        }
    }
    Ok(filled)
}

/// A copy of a folder as it is.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("can not make {}", to.display()))?;
    for (name, entry) in entries(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        match entry.is_directory {
            true => copy(&from, &to)?,
            false => whole(&File::open(from)?, &File::create(to)?)?,
        }
    }
    Ok(())
}
