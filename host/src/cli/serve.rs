//! `quarry serve`.

use super::address::Address;
use super::options::{GlobalOptions, opening};
use super::reach::operator_secret;
use super::run::{Effort, Whereto, given};
use super::{DONE, Done, printer, wrong_option};
use crate::api::{Api, Ended, Rate, Server, ServerSettings, Settings};
use crate::app::App;
use crate::config::Config;
use crate::control::Control;
use crate::env::open_files_max;
use crate::error::{Code, Context, Result};
use crate::webhook::{Reach, Secret};
use clap::Args;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

const SECRET_VARIABLE: &str = "QUARRY_WEBHOOK_SECRET";

/// Runs the engine as a server: REST under /v1, described in /openapi.json and /docs. Without any
/// option it works in ./quarry-data and listens on this machine only. Every option may stand in a
/// file (quarry config) or the environment (QUARRY_LISTEN, …) as well.
#[derive(Args)]
#[command(before_help = "Example: quarry serve --listen 127.0.0.1:7733")]
pub(super) struct Arguments {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:7733]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Listen beyond this machine although there is no key: whoever reaches the port may do all
    #[arg(long)]
    insecure: bool,
    /// Ask for a key from the beginning, not only once there is one
    #[arg(long)]
    keys_required: bool,
    /// Requests worked on at once; others wait [default: 64]
    #[arg(long, value_name = "N")]
    requests_max: Option<usize>,
    /// Requests that are here at once, with those that wait; others are refused [default: 4096]
    #[arg(long, value_name = "N")]
    requests_waiting_max: Option<usize>,
    /// Requests of one key in a second; 0 for no limit [default: 1000]
    #[arg(long, value_name = "N")]
    rate_per_second: Option<u32>,
    /// Requests of one key at once, after a pause; ten seconds' worth by default
    #[arg(long, value_name = "N")]
    rate_burst: Option<u32>,
    /// Seconds that requests may take to end once the server is told to stop [default: 10]
    #[arg(long, value_name = "S")]
    drain_seconds: Option<u64>,
    /// Origin whose pages may send requests; may be repeated
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<String>,
    /// Batches that are run at once, each of another namespace [default: 4]
    #[arg(long, value_name = "N")]
    batches_max: Option<usize>,
    /// Send webhooks to private addresses and over http, too: for laboratories
    #[arg(long)]
    allow_private_targets: bool,
    #[command(flatten)]
    whereto: Whereto,
    #[command(flatten)]
    effort: Effort,
}

impl Arguments {
    fn flags(&self) -> Map<String, Value> {
        let origins = (!self.cors_origins.is_empty()).then(|| self.cors_origins.clone().into());
        let mut flags = given([
            ("listen", self.listen.map(|listen| listen.to_string().into())),
            ("insecure", self.insecure.then_some(true.into())),
            ("keys_required", self.keys_required.then_some(true.into())),
            ("requests_max", self.requests_max.map(Value::from)),
            ("requests_waiting_max", self.requests_waiting_max.map(Value::from)),
            ("rate_per_second", self.rate_per_second.map(Value::from)),
            ("rate_burst", self.rate_burst.map(Value::from)),
            ("drain_seconds", self.drain_seconds.map(Value::from)),
            ("cors_origins", origins),
            ("batches_max", self.batches_max.map(Value::from)),
            ("allow_private_targets", self.allow_private_targets.then_some(true.into())),
        ]);
        flags.extend(self.whereto.flags());
        flags.extend(self.effort.flags());
        flags
    }
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = options.resolve(arguments.flags())?.config;
    let app = App::open(&opening(&config)?)?;
    let control = Arc::new(Control::open(app.engine.clone(), app.data_dir.clone())?);
    let has_keys = control.has_keys()?;
    let open_to_all = !has_keys && !config.keys_required && !config.insecure;
    if !config.listen.ip().is_loopback() && open_to_all {
        let hint = "make a key first (`quarry key create`), or say --insecure";
        return Err(wrong_option("--listen", &config.listen.to_string(), hint));
    }
    let reach = if config.allow_private_targets { Reach::Private } else { Reach::Public };
    control.set_outbound(reach, signing_secret()?);
    let background = control.start_background()?;
    control.start_dispatch(config.batches_max)?;
    let operator = operator_secret();
    let rate = config.rate().map(|(per_second, burst)| Rate { per_second, burst });
    let settings =
        Settings { keys_required: config.keys_required, operator: Some(operator.clone()), rate };
    let api = Arc::new(Api::new(control.clone(), settings));
    // Kept until it is known whether all requests have ended: dropping it waits for them.
    let requests = requests_runtime()?;
    let ended = requests.block_on(async {
        let signals = Signals::listen()?;
        let server = Server::bind(api, &listening(&config)).await?;
        let address = reachable(server.address());
        let process = std::process::id();
        let url = format!("http://{address}");
        let _published = Address { url, process, operator }.publish(&app.data_dir)?;
        announce(options, &app, &server, has_keys || config.keys_required);
        let (quiet, told) = (options.quiet, control.clone());
        let stopped = async move {
            signals.stopped(quiet).await;
            // Whoever watches is told that nothing comes any more.
            told.dispatch.stop();
            told.rang();
        };
        server.run(stopped).await
    })?;
    drop(background);
    let drained = control.dispatch.drained_within(Duration::from_secs(config.drain_seconds));
    app.engine.store.settle()?;
    if ended == Ended::CutOff || !drained {
        printer::note(options, "what took too long was cut off, and goes on with the next start");
        crate::telemetry::flush();
        // Their threads would be waited for otherwise; what they had committed is durable.
        std::process::exit(DONE.into());
    }
    Ok(DONE)
}

/// Requests have threads of their own: those of the engine's runtime are started by whoever needs
/// one, and one that a batch has started stands back with it ([`crate::env::stand_back`]).
fn requests_runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("requests")
        .enable_all()
        .build()
        .context(Code::Unavailable, || "can not start the threads for requests".to_string())
}

/// Signs what goes to the URLs that batches name: no flag, which everybody on the machine sees.
fn signing_secret() -> Result<Option<Secret>> {
    let Some(text) = std::env::var_os(SECRET_VARIABLE) else { return Ok(None) };
    let secret = Secret::parse(text.to_str().unwrap_or_default());
    secret.map(Some).map_err(|error| error.field(SECRET_VARIABLE))
}

/// Open files that are asked of the system, and those of them that are not for connections.
const FILES_MAX: u64 = 64 << 10;
const FILES_KEPT: u64 = 512;
const CONNECTIONS_MIN: u64 = 64;

fn listening(config: &Config) -> ServerSettings {
    let files = open_files_max(FILES_MAX);
    let connections = files.saturating_sub(FILES_KEPT).max(CONNECTIONS_MIN);
    ServerSettings {
        connections_max: usize::try_from(connections).unwrap_or(usize::MAX),
        requests_max: config.requests_max,
        waiting_max: config.requests_waiting_max,
        drain: Duration::from_secs(config.drain_seconds),
        origins: config.cors_origins.clone(),
        insecure: config.insecure,
        ..ServerSettings::new(config.listen)
    }
}

/// An address that listens everywhere is reached from here by this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let own: std::net::IpAddr = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(own);
    }
    address
}

fn announce(options: &GlobalOptions, app: &App, server: &Server, guarded: bool) {
    let url = format!("http://{}", server.address());
    printer::text(&url);
    let data = app.data_dir.display();
    printer::note(options, &format!("data in {data}; reference at {url}/docs"));
    if !guarded {
        printer::note(options, "no key is asked for until there is one: quarry key create NAME");
    }
}

/// Ctrl-C and SIGTERM, from when this is made: before anybody is told that the server is there.
struct Signals {
    interrupted: Signal,
    terminated: Signal,
}

impl Signals {
    fn listen() -> Result<Signals> {
        let named = || "can not listen for signals".to_string();
        Ok(Signals {
            interrupted: signal(SignalKind::interrupt()).context(Code::Unavailable, named)?,
            terminated: signal(SignalKind::terminate()).context(Code::Unavailable, named)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }

    /// The first one; the second one leaves at once.
    async fn stopped(mut self, quiet: bool) {
        self.next().await;
        if !quiet {
            eprintln!("finishing what was begun; once more leaves at once");
        }
        // A task of its own: nothing polls this future once it is done.
        Handle::current().spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }
}
