//! `quarry serve` as a process, and requests to it.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Host {
    child: Child,
    address: String,
}

impl Host {
    pub(crate) fn start(data: &Path) -> Result<Host> {
        let binary = std::env::var_os("QUARRY_BIN").context("QUARRY_BIN is not set, use ./x")?;
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--sink", "none"])
            .arg("--allow-private-targets")
            .arg("--data-dir")
            .arg(data)
            .env_remove("QUARRY_SINK")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the process has no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("http://").map(str::to_string);
        let Some(address) = address else {
            child.kill()?;
            child.wait()?;
            bail!("the server said `{}`", line.trim());
        };
        Ok(Host { child, address })
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// A request whose answer is still to be read.
    pub(crate) fn send_only(&self, method: &str, path: &str, body: &Value) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        write!(stream, "{head}content-length: {length}\r\n\r\n{body}")?;
        Ok(stream)
    }

    /// Status and body; an error if the server died meanwhile.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut stream = self.send_only(method, path, body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer broke off")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("the answer has no status")?;
        let json = if body.is_empty() { Value::Null } else { serde_json::from_str(body)? };
        Ok((status, json))
    }

    /// What must succeed.
    pub(crate) fn ok(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.call(method, path, body)?;
        ensure!((200..300).contains(&status), "{method} {path} answered {status}: {answer}");
        Ok(answer)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
