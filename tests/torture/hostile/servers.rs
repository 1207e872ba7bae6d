//! Servers on loopback that the corpus sends requests to.

use super::corpus::Ports;
use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// What grants call a network of their own; the servers listen there.
pub(crate) const GRANTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

pub(crate) struct Servers {
    pub(crate) ports: Ports,
    /// Connections to the address that nobody was granted.
    intruders: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<(SocketAddr, Option<JoinHandle<()>>)>,
}

type Answer = fn(&mut TcpStream) -> std::io::Result<()>;

impl Servers {
    pub(crate) fn start() -> Result<Servers> {
        let mut servers = Servers {
            ports: Ports {
                plain: SocketAddr::from((GRANTED, 0)),
                slow: SocketAddr::from((GRANTED, 0)),
                headers: SocketAddr::from((GRANTED, 0)),
                large: SocketAddr::from((GRANTED, 0)),
                private: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            },
            intruders: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let uncounted = Arc::new(AtomicU64::new(0));
        servers.ports.plain = servers.listen(servers.ports.plain, plain, &uncounted)?;
        servers.ports.slow = servers.listen(servers.ports.slow, slow, &uncounted)?;
        servers.ports.headers = servers.listen(servers.ports.headers, headers, &uncounted)?;
        servers.ports.large = servers.listen(servers.ports.large, large, &uncounted)?;
        // Where a name that is pointed elsewhere between two requests leads: the same port.
        let intruders = servers.intruders.clone();
        let rebound = SocketAddr::from((Ipv4Addr::LOCALHOST, servers.ports.plain.port()));
        let private = servers.listen(rebound, plain, &intruders);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        servers.ports.private = match private {
            Ok(address) => address,
            // Somebody else has that port; a refused connection is as good.
            Err(_) => servers.listen(any, plain, &intruders)?,
        };
        Ok(servers)
    }

    pub(crate) fn intruders(&self) -> u64 {
        self.intruders.load(Ordering::SeqCst)
    }

    fn listen(
        &mut self,
        address: SocketAddr,
        answer: Answer,
        count: &Arc<AtomicU64>,
    ) -> Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let (stop, count) = (self.stop.clone(), count.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                count.fetch_add(1, Ordering::SeqCst);
                if let Ok(mut stream) = stream {
                    // A client that goes away has had enough.
                    let _ = read_request(&mut stream).and_then(|()| answer(&mut stream));
                }
            }
        });
        self.threads.push((address, Some(thread)));
        Ok(address)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for (address, thread) in &mut self.threads {
            // Wakes the one that waits for a connection.
            drop(TcpStream::connect(*address));
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut seen = Vec::new();
    let mut piece = [0; 1024];
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => seen.extend_from_slice(&piece[..read]),
        }
    }
    Ok(())
}

fn plain(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
}

/// The client ends it, by going away.
fn slow(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nwait for it")?;
    stream.read(&mut [0]).map(drop)
}

fn headers(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    let line = format!("x-filler: {}\r\n", "y".repeat(8_000));
    for _ in 0..10_000 {
        stream.write_all(line.as_bytes())?;
    }
    stream.write_all(b"content-length: 0\r\nconnection: close\r\n\r\n")
}

fn large(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
    let piece = [b'x'; 64 << 10];
    for _ in 0..10_000 {
        stream.write_all(&piece)?;
    }
    Ok(())
}
