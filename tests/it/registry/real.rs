//! The same against Debian's `docker-registry`, where there is one: what our own registry of the
//! tests takes might be nobody else's idea of the specification.

use super::{Site, read, redact};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct DockerRegistry {
    process: Child,
    host: String,
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // Only one that has ended already can not be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The one that `./x test` fetched, else one that is installed.
fn program() -> Option<PathBuf> {
    if let Some(fetched) = std::env::var_os("QUARRY_DOCKER_REGISTRY") {
        return Some(fetched.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("docker-registry")).find(|p| p.is_file())
}

impl DockerRegistry {
    fn start(program: &Path, folder: &Path) -> DockerRegistry {
        let config = folder.join("registry.yml");
        let storage = folder.join("registry");
        let text = format!(
            "version: 0.1\nlog: {{ level: info, formatter: json }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"127.0.0.1:0\" }}\n",
            storage.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let host = lines.by_ref().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
            let host = line["msg"].as_str()?.strip_prefix("listening on ")?;
            Some(host.to_string())
        });
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        DockerRegistry { process, host: host.expect("it says where it listens") }
    }
}

#[test]
fn a_real_registry_keeps_component_and_signature() {
    let Some(program) = program() else {
        eprintln!(
            "SKIPPED: docker-registry is not installed (Debian: apt install docker-registry)"
        );
        return;
    };
    let author = Site::new();
    let registry = DockerRegistry::start(&program, &author.0.path(""));
    let repository = format!("{}/acme/it", registry.host);
    author.bring("redact.wasm", &redact());
    let key = author.key("author");
    author.json(&["extractor", "sign", "redact.wasm", "--key", "author.key"]);
    let pushed = author.json(&[
        "extractor",
        "push",
        &repository,
        "redact.wasm",
        "--annotation",
        "org.opencontainers.image.licenses=Apache-2.0",
    ]);
    let again = author.quarry(&["extractor", "push", &repository, "redact.wasm"]);
    assert_eq!(again.code, 1, "without the annotation it is another package: {}", again.stderr);
    let other = Site::new();
    let tagged = format!("{repository}:1.0.0");
    let strict = ["--require-signature", "--trusted-key", &key];
    let pulled = other.json(&[&["extractor", "pull", &tagged], &strict[..]].concat());
    assert_eq!(pulled, pushed);
    let pinned = pushed["reference"].as_str().unwrap();
    other.json(&["extractor", "pull", pinned, "--out", "it.wasm"]);
    assert_eq!(read(&other.0.path("it.wasm")), redact());
    assert_eq!(read(&other.0.path("it.wasm.sig")), read(&author.0.path("redact.wasm.sig")));
    let missing = format!("{repository}:9.9.9");
    other.refused(&["extractor", "pull", &missing], 4, "there is no ");
}
