//! The components that mean harm, and how each of them has to end.

use super::shell;
use anyhow::Result;
use std::net::SocketAddr;

/// In which call one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Nothing of it runs, or only what says what it is.
    Load,
    Configure,
    Run,
    /// In its second batch.
    Again,
    Query,
    /// It does no harm: what it wanted was kept from it, and it says so in its log.
    Never,
}

pub(crate) struct Evil {
    pub(crate) name: &'static str,
    text: &'static str,
    pub(crate) when: When,
    /// Part of what the host says of its end.
    pub(crate) says: &'static str,
}

macro_rules! corpus {
    ($($name:literal $when:ident $says:literal;)+) => {
        pub(crate) const CORPUS: &[Evil] = &[$(Evil {
            name: $name,
            text: include_str!(concat!("../../guests/wat/", $name, ".wat")),
            when: When::$when,
            says: $says,
        }),+];
    };
}

corpus! {
    "changing-name" Configure "once configured";
    "custom-sections" Load "bytes";
    "deep-json" Run "nested deeper than 20";
    "deep-types" Load "is damaged or needs WebAssembly features";
    "forged-manifest" Load "is stamped trusted@9.9.9";
    "handle-bomb" Run "handle";
    "header-bomb" Never "error: ";
    "http-flood" Never "error: limit";
    "huge-answer" Query "returned too much in embed-query";
    "huge-component" Load "104857600 bytes";
    "huge-error" Run "aaaa";
    "infinite-vector" Run "NaN or infinity";
    "invalid-utf8" Run "is not UTF-8";
    "large-answer" Never "error: limit";
    "leaked-handle" Run "borrow handles still remain";
    "list-bomb" Run "broke the component ABI";
    "log-binary" Run "not UTF-8";
    "log-bomb" Run "called the host more than 10000 times";
    "log-long" Run "ran longer than";
    "loop-calls" Run "called the host more than 10000 times";
    "loop-configure" Configure "ran longer than";
    "loop-describe" Load "ran longer than";
    "loop-query" Query "ran longer than";
    "loop-realloc" Query "ran longer than";
    "loop-run" Run "ran longer than";
    "loop-start" Load "ran longer than";
    "lying-length" Load "broke the contract in describe";
    "lying-offsets" Run "offsets from 0 to 2147483647";
    "lying-pointer" Configure "broke the component ABI: realloc";
    "memory-bomb" Run "bytes of memory, at most 16777216";
    "memory-declared" Load "bytes of memory, at most 16777216";
    "million-documents" Run "1000000 documents from row 0";
    "module-bomb" Load "resource limit exceeded";
    "nan-vector" Run "NaN or infinity";
    "other-row" Run "read a cell of row 1 of 1";
    "private-address" Never "error: denied";
    "random-bomb" Run "random bytes, at most 65536";
    "rebinding" Never "error: denied";
    "recursion" Run "call stack exhausted";
    "reject-bomb" Run "more than";
    "slow-cell" Run "read blobs for longer than";
    "slow-http" Run "ran longer than";
    "stale-handle" Again "unknown handle index";
    "table-bomb" Run "table elements";
    "table-declared" Load "table";
    "unasked-import" Configure "its description does not ask for it";
    "wrong-dimension" Run "a vector of its dimension has 16";
}

/// Where the servers of the corpus listen; names of the corpus lead there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// Answers and closes.
    pub(crate) plain: SocketAddr,
    /// Begins an answer and never ends it.
    pub(crate) slow: SocketAddr,
    pub(crate) headers: SocketAddr,
    pub(crate) large: SocketAddr,
    /// At an address that nobody was granted.
    pub(crate) private: SocketAddr,
}

impl Evil {
    pub(crate) fn find(name: &str) -> Option<&'static Evil> {
        CORPUS.iter().find(|evil| evil.name == name)
    }

    /// Where it sends requests to, as the operator grants it.
    pub(crate) fn host(&self, ports: &Ports) -> Option<String> {
        let at =
            |name: &str, address: SocketAddr| Some(format!("http://{name}:{}", address.port()));
        match self.name {
            "slow-http" => at("slow.example", ports.slow),
            "header-bomb" => at("headers.example", ports.headers),
            "large-answer" => at("large.example", ports.large),
            "http-flood" => at("plain.example", ports.plain),
            "rebinding" => at("rebinding.example", ports.plain),
            "private-address" => Some(format!("http://{}", ports.private)),
            _ => None,
        }
    }

    pub(crate) fn component(&self, ports: &Ports) -> Result<Vec<u8>> {
        let url = self.host(ports).map(|host| format!("{host}/")).unwrap_or_default();
        let deeper = (0..2_000).map(|n| format!("(type $d{} (list $d{n}))\n", n + 1));
        let instances = (0..200).map(|_| "(core instance (instantiate $small))\n".to_string());
        let text = self
            .text
            .replace("URL", &url)
            .replace("LENGTH", &url.len().to_string())
            .replace("DEEPER", &deeper.collect::<String>())
            .replace("INSTANCES", &instances.collect::<String>());
        let mut wasm = shell::component(self.name, &text)?;
        match self.name {
            "custom-sections" => {
                (0..50).for_each(|_| custom(&mut wasm, "quarry:extractor", 1 << 20))
            }
            "huge-component" => {
                // What the header of the section takes is not known before.
                let mut filled = wasm.clone();
                custom(&mut filled, "filler", 100 << 20);
                let over = filled.len() - (100 << 20);
                custom(&mut wasm, "filler", (100 << 20) - over);
            }
            _ => {}
        }
        Ok(wasm)
    }
}

/// Appends a custom section with so many bytes of spaces.
fn custom(wasm: &mut Vec<u8>, name: &str, bytes: usize) {
    let leb = |mut value: usize| {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    };
    let size = leb(name.len()).len() + name.len() + bytes;
    wasm.push(0);
    wasm.extend(leb(size));
    wasm.extend(leb(name.len()));
    wasm.extend(name.as_bytes());
    wasm.resize(wasm.len() + bytes, b' ');
}
