//! What goes on by itself while the engine serves: messages are sent, schedules come due.

use super::{Control, runs, sender};
use crate::error::{Code, Context, Result};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Stops when it is dropped, after what is being done.
pub struct Background {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Control {
    /// Starts the sender and the timer: once in a process.
    pub fn start_background(self: &Arc<Self>) -> Result<Background> {
        let mut background = Background { stop: watch::Sender::new(false), threads: Vec::new() };
        let (control, stop) = (self.clone(), background.stop.subscribe());
        background.start("sender", move || {
            let runtime = control.engine.runtime.clone();
            runtime.block_on(sender::work(control, stop));
        })?;
        let (control, stop) = (self.clone(), background.stop.subscribe());
        background.start("timer", move || runs::work(&control, stop))?;
        Ok(background)
    }
}

impl Background {
    fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new().name(name.to_string()).spawn(work);
        self.threads.push(
            thread.context(Code::Unavailable, || format!("can not start the {name} thread"))?,
        );
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A panic was printed where it happened.
            let _ = thread.join();
        }
    }
}
