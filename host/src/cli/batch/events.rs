//! Server-sent events, out of the pieces they come in.

use crate::error::{Code, Error, Result};

/// Of one event that is not whole yet.
const EVENT_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// As the server names it, where it can be asked for what came after.
    pub id: Option<String>,
    pub kind: String,
    pub data: String,
}

/// What has come and is no event yet.
#[derive(Default)]
pub struct Events(Vec<u8>);

impl Events {
    /// The events that are whole now.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<Event>> {
        self.0.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            events.extend(parse(&String::from_utf8_lossy(&block)));
        }
        if self.0.len() > EVENT_BYTES_MAX {
            let message = format!("the server sends an event of more than {EVENT_BYTES_MAX} bytes");
            return Err(Error::new(Code::Corrupt, message));
        }
        Ok(events)
    }
}

/// `None` for a comment.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event { kind: "message".to_string(), ..Event::default() };
    let mut lines = 0;
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => event.id = Some(value.to_string()),
            "event" => event.kind = value.to_string(),
            "data" => {
                if lines > 0 {
                    event.data.push('\n');
                }
                event.data.push_str(value);
                lines += 1;
            }
            _ => {}
        }
    }
    (lines > 0).then_some(event)
}
