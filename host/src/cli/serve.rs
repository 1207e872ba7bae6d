//! `quarry serve`.

use super::options::GlobalOptions;
use super::run::Effort;
use super::{DONE, Done, printer, wrong_option};
use crate::api::{Api, Server, ServerSettings, Settings};
use crate::app::App;
use crate::control::Control;
use crate::webhook::{Reach, Secret};
use clap::Args;
use std::net::SocketAddr;
use std::sync::Arc;

const SECRET_VARIABLE: &str = "QUARRY_WEBHOOK_SECRET";

/// Runs the engine as a server: REST under /v1, described in /openapi.json. Without any option it
/// works in ./quarry-data and listens on this machine only.
#[derive(Args)]
#[command(before_help = "Example: quarry serve --listen 127.0.0.1:7733")]
pub(super) struct Arguments {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7733", env = "QUARRY_LISTEN")]
    listen: SocketAddr,
    /// Listen beyond this machine although there is no key: whoever reaches the port may do all
    #[arg(long)]
    insecure: bool,
    /// Ask for a key from the beginning, not only once there is one
    #[arg(long)]
    keys_required: bool,
    /// Requests worked on at once; others wait
    #[arg(long, default_value_t = 64)]
    requests_max: usize,
    /// edge (in this process), none, or qdrant://HOST:PORT
    #[arg(long, default_value = "edge", env = "QUARRY_SINK")]
    sink: String,
    /// Object store for artifacts; a folder of the data directory by default
    #[arg(long, value_name = "URL", env = "QUARRY_ARTIFACTS")]
    artifacts: Option<String>,
    /// Send webhooks to private addresses and over http, too: for laboratories
    #[arg(long, env = "QUARRY_ALLOW_PRIVATE_TARGETS")]
    allow_private_targets: bool,
    #[command(flatten)]
    effort: Effort,
}

impl Arguments {
    fn reach(&self) -> Reach {
        if self.allow_private_targets { Reach::Private } else { Reach::Public }
    }
}

/// Signs what goes to the URLs that batches name: no flag, which everybody on the machine sees.
fn signing_secret() -> crate::error::Result<Option<Secret>> {
    let Some(text) = std::env::var_os(SECRET_VARIABLE) else { return Ok(None) };
    let secret = Secret::parse(text.to_str().unwrap_or_default());
    secret.map(Some).map_err(|error| error.field(SECRET_VARIABLE))
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let mut settings = options.settings()?;
    settings.sink = arguments.sink.clone();
    settings.artifacts = arguments.artifacts.clone();
    arguments.effort.apply(&mut settings);
    let app = App::open(&settings)?;
    let control = Arc::new(Control::open(app.engine.clone(), app.data_dir.clone())?);
    let has_keys = control.has_keys()?;
    let open_to_all = !has_keys && !arguments.keys_required && !arguments.insecure;
    if !arguments.listen.ip().is_loopback() && open_to_all {
        let hint = "make a key first (`quarry key create`), or say --insecure";
        return Err(wrong_option("--listen", &arguments.listen.to_string(), hint));
    }
    control.set_outbound(arguments.reach(), signing_secret()?);
    let _background = control.start_background()?;
    let api = Api::new(control, Settings { keys_required: arguments.keys_required });
    let listen =
        ServerSettings { listen: arguments.listen, requests_max: arguments.requests_max.max(1) };
    app.runtime().block_on(async {
        let server = Server::bind(Arc::new(api), &listen).await?;
        let url = format!("http://{}", server.address());
        printer::text(&url);
        printer::note(
            options,
            &format!("data in {}; reference at {url}/docs", app.data_dir.display()),
        );
        if !has_keys {
            let hint = "no key is asked for until there is one: quarry key create";
            printer::note(options, hint);
        }
        server.run(stopped()).await
    })?;
    Ok(DONE)
}

/// Ctrl-C or SIGTERM.
async fn stopped() {
    let kind = tokio::signal::unix::SignalKind::terminate();
    let Ok(mut terminated) = tokio::signal::unix::signal(kind) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}
