//! Which Rust compiles extractors. In this order:
//!
//! 1. an installed Rust that has the standard library for WebAssembly,
//! 2. `rustup target add`, when rustup manages a new enough Rust,
//! 3. the standard library's sources (`rust-web-src`, rustup's `rust-src`), compiled along,
//!    with whatever WebAssembly linker there is,
//! 4. an error that says what to install.
//!
//! `QUARRY_TOOLCHAIN=rustup|debian` leaves out the other family.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::install;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const LINKER: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// The oldest Rust the SDK compiles with (major, minor).
const FLOOR: (u32, u32) = (1, 96);

const WHAT_TO_INSTALL: &str = "hint: install one of these and try again\n  \
     rustup toolchain install 1.96.0 --profile minimal --target wasm32-unknown-unknown\n  \
     apt-get install rustc-web cargo-web rust-web-src lld    (Debian)";

/// The installed Rusts that are new enough: the preferred one. The others are looked for only when
/// something has to be compiled.
pub(crate) struct Toolchains(Rust);

/// One installed Rust.
#[derive(Debug, Clone)]
struct Rust {
    sysroot: PathBuf,
    /// What `rustc -vV` prints.
    version: String,
    /// Its name when rustup manages it.
    rustup: Option<String>,
}

/// How to run cargo so that it compiles for WebAssembly.
pub(crate) struct Wasm {
    pub(crate) cargo: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, PathBuf)>,
    pub(crate) sysroot: PathBuf,
    /// For people: which Rust, and how it gets its standard library.
    pub(crate) description: String,
}

impl Toolchains {
    /// Takes the active Rust when it is new enough, else looks for all others.
    pub(crate) fn find() -> Result<Self> {
        let found = active().or_else(|| others().next()).or_else(|| {
            let packages = ["rustc-web", "cargo-web", "rust-web-src"];
            install::debian(&packages).then(|| others().next()).flatten()
        });
        match found {
            Some(rust) => Ok(Self(rust)),
            None => bail!("no Rust {}.{} or newer found\n{WHAT_TO_INSTALL}", FLOOR.0, FLOOR.1),
        }
    }

    /// The compiler's version, part of every cache key.
    pub(crate) fn identity(&self) -> &str {
        &self.0.version
    }

    /// Finds, or installs, what it takes to compile for WebAssembly. `target` remembers for an hour
    /// that rustup could not download, so that an offline machine does not wait at every build.
    pub(crate) fn for_wasm(&self, target: &Path) -> Result<Wasm> {
        let mut all = self.all();
        if let Some(rust) = all.iter().find(|rust| rust.has_target()) {
            return Ok(rust.wasm());
        }
        for rust in &all {
            if let Some(name) = &rust.rustup
                && install::rustup_target(name, target)
                && rust.has_target()
            {
                return Ok(rust.wasm());
            }
        }
        if !all.iter().any(Rust::has_sources) && install::debian(&["rust-web-src"]) {
            all = self.all();
        }
        let Some(rust) = all.iter().find(|rust| rust.has_sources()) else {
            bail!("no installed Rust can compile for {TARGET}\n{WHAT_TO_INSTALL}");
        };
        match linker().or_else(|| install::debian(&["lld"]).then(linker).flatten()) {
            Some(linker) => Ok(rust.wasm_from_sources(linker)),
            None => bail!("no linker for {TARGET} found (rust-lld or wasm-ld)\n{WHAT_TO_INSTALL}"),
        }
    }
}

impl Toolchains {
    fn all(&self) -> Vec<Rust> {
        let first = self.0.clone();
        let others = others().filter(|other| other.sysroot != self.0.sysroot);
        [first].into_iter().chain(others).collect()
    }
}

impl Rust {
    /// The Rust in a sysroot, if it is there, released and new enough.
    fn at(sysroot: &Path) -> Option<Self> {
        let rustc = sysroot.join("bin/rustc");
        let version = rustc.is_file().then(|| output(Command::new(rustc).arg("-vV")))??;
        let toolchains = rustup_home().map(|home| home.join("toolchains"));
        let managed = toolchains.is_some_and(|toolchains| sysroot.starts_with(toolchains));
        let name = sysroot.file_name().map(|name| name.to_string_lossy().into_owned());
        let rust = Self { sysroot: sysroot.into(), version, rustup: name.filter(|_| managed) };
        let wanted = match std::env::var("QUARRY_TOOLCHAIN").as_deref() {
            Ok("rustup") => managed,
            Ok("debian") => !managed,
            _ => true,
        };
        (wanted && new_enough(&rust.version)).then_some(rust)
    }

    fn has_target(&self) -> bool {
        self.sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
    }

    fn has_sources(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file()
    }

    fn wasm(&self) -> Wasm {
        let cargo = self.sysroot.join("bin/cargo");
        let mut environment = vec![("RUSTC".to_owned(), self.sysroot.join("bin/rustc"))];
        environment.extend(self.rustup.iter().map(|name| ("RUSTUP_TOOLCHAIN".into(), name.into())));
        Wasm {
            cargo: if cargo.is_file() { cargo } else { "cargo".into() },
            arguments: Vec::new(),
            environment,
            sysroot: self.sysroot.clone(),
            description: self.version.lines().next().unwrap_or_default().to_owned(),
        }
    }

    fn wasm_from_sources(&self, linker: PathBuf) -> Wasm {
        let mut wasm = self.wasm();
        wasm.arguments = vec!["-Z".to_owned(), "build-std=std,panic_abort".to_owned()];
        wasm.environment.push(("RUSTC_BOOTSTRAP".to_owned(), "1".into()));
        wasm.description += ", standard library from its sources, linker ";
        wasm.description += &linker.to_string_lossy();
        wasm.environment.push((LINKER.to_owned(), linker));
        wasm
    }
}

fn active() -> Option<Rust> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]))?;
    Rust::at(Path::new(sysroot.trim()))
}

/// Every installed Rust that is new enough: rustup's, then the system's.
fn others() -> impl Iterator<Item = Rust> {
    sysroots().into_iter().filter_map(|sysroot| Rust::at(&sysroot))
}

fn sysroots() -> Vec<PathBuf> {
    let toolchains = rustup_home().and_then(|home| fs::read_dir(home.join("toolchains")).ok());
    let toolchains = toolchains.into_iter().flatten();
    let mut found: Vec<PathBuf> = toolchains.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    found.push("/usr".into());
    found
}

fn rustup_home() -> Option<PathBuf> {
    let own = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    own.or_else(|| std::env::home_dir().map(|home| home.join(".rustup")))
}

/// Whether `rustc -vV` printed a release at or above the floor.
pub(crate) fn new_enough(version: &str) -> bool {
    let release = version.lines().find_map(|line| line.strip_prefix("release: "));
    let Some(release) = release.filter(|release| !release.contains('-')) else {
        return false;
    };
    let mut parts = release.split('.').map_while(|part| part.parse::<u32>().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= FLOOR
}

/// A linker for WebAssembly: `rust-lld` out of any Rust, whatever its version, else LLVM's
/// `wasm-ld`.
fn linker() -> Option<PathBuf> {
    let sysroots = sysroots();
    let own = sysroots.iter().rev().flat_map(|sysroot| {
        let hosts = fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten();
        hosts.filter_map(|host| Some(host.ok()?.path().join("bin/rust-lld")))
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let llvm = std::env::split_paths(&path).map(|folder| folder.join("wasm-ld"));
    own.chain(llvm).find(|linker| linker.is_file())
}

/// What a command printed, when it could be run and succeeded.
fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
