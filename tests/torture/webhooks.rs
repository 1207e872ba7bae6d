//! Kills the server and who listens to it, over and over, while buckets come and go. Every event of
//! what was acknowledged must be delivered at least once, under one id, with a signature that
//! verifies, and for each bucket numbered from 1 without a gap.

#[allow(dead_code, reason = "some of it is for the tests of the API")]
pub(crate) mod host;
pub(crate) mod receiver;

use super::Torture;
use super::batch::Dice;
use anyhow::{Context, Result, bail, ensure};
use host::Host;
use receiver::{Answer, Received, Receiver};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What a process may do before the next kill.
const LIFE_MS_MAX: u64 = 400;
/// One of so many messages is refused once.
const REFUSED: u64 = 20;
const END_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) fn run(torture: &Torture) -> Result<String> {
    let kills = torture.number("kills", 100);
    let mut dice = Dice::new(torture.number("seed", 1));
    let data = torture.work.join("data");
    let mut host = Host::start(&data)?;
    let mut receiver = listen(0)?;
    let port = receiver.address.port();
    let secret = subscribe(&host, &receiver)?;
    let mut world = World::default();
    let mut deaths = [0, 0];
    for number in 0..kills {
        let until = Instant::now() + Duration::from_millis(dice.below(LIFE_MS_MAX));
        let victim = dice.below(3);
        world.live(&host, until, victim != 1, &mut dice)?;
        if victim != 1 {
            host.kill()?;
            deaths[0] += 1;
        }
        if victim != 0 {
            world.heard.extend(receiver.kill());
            deaths[1] += 1;
        }
        if victim != 1 {
            host = Host::start(&data)?;
        }
        if victim != 0 {
            receiver = listen(port)?;
        }
        eprintln!("kill {number}: {} buckets, {} messages", world.made.len(), world.heard.len());
    }
    world.finish(&host, &receiver)?;
    world.heard.extend(receiver.kill());
    world.check(&secret, deaths)
}

fn listen(port: u16) -> Result<Receiver> {
    let limit = Instant::now() + END_TIME_MAX;
    loop {
        // Some attempts are refused: by what they say, so that it is the same each time.
        let behaviour = |received: &Received| {
            let sum: u64 = received.body.iter().map(|byte| u64::from(*byte)).sum();
            let again = received.header("webhook-timestamp").bytes().map(u64::from).sum::<u64>();
            let refused = (sum + again).is_multiple_of(REFUSED);
            Answer::status(if refused { 500 } else { 204 })
        };
        match Receiver::start(port, behaviour) {
            Ok(receiver) => return Ok(receiver),
            Err(error) if Instant::now() > limit => return Err(error),
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

fn subscribe(host: &Host, receiver: &Receiver) -> Result<String> {
    let body = json!({
        "webhook_name": "torture",
        "event_types": ["bucket.created", "bucket.deleted"],
        "channels": [{ "channel": "webhook", "configs": { "url": receiver.url("/hook") } }],
    });
    let made = host.ok("POST", "/v1/organizations/webhooks", &body)?;
    Ok(made["secret"].as_str().context("no secret")?.to_string())
}

/// What was acknowledged, and what was heard.
#[derive(Default)]
struct World {
    /// Ids of buckets, and whether their deletion was acknowledged.
    made: BTreeMap<String, bool>,
    attempts: u64,
    heard: Vec<Received>,
}

impl World {
    /// Makes and deletes buckets until then; the last request may be cut off by the kill.
    fn live(&mut self, host: &Host, until: Instant, dies: bool, dice: &mut Dice) -> Result<()> {
        while Instant::now() < until {
            if let Err(error) = self.act(host, dice) {
                bail!("the server failed by itself: {error:#}");
            }
        }
        if dies {
            self.attempts += 1;
            let name = format!("cut-{}", self.attempts);
            // Sent and not waited for: it may be done, or not.
            let body = json!({ "bucket_name": name, "bucket_schema": { "properties": {} } });
            host.send_only("POST", "/v1/buckets", &body)?;
            std::thread::park_timeout(Duration::from_micros(dice.below(8_000)));
        }
        Ok(())
    }

    fn act(&mut self, host: &Host, dice: &mut Dice) -> Result<()> {
        let living: Vec<&String> =
            self.made.iter().filter(|(_, deleted)| !**deleted).map(|(id, _)| id).collect();
        if living.len() > 3 && dice.below(2) == 0 {
            let at = dice.below(living.len() as u64) as usize;
            let id = living[at].clone();
            host.ok("DELETE", &format!("/v1/buckets/{id}"), &Value::Null)?;
            self.made.insert(id, true);
            return Ok(());
        }
        self.attempts += 1;
        let name = format!("bucket-{}", self.attempts);
        let body = json!({ "bucket_name": name, "bucket_schema": { "properties": {} } });
        let made = host.ok("POST", "/v1/buckets", &body)?;
        self.made.insert(made["bucket_id"].as_str().context("no id")?.to_string(), false);
        Ok(())
    }

    /// Until nothing waits: what failed is not waited for but told again at once.
    fn finish(&mut self, host: &Host, receiver: &Receiver) -> Result<()> {
        let hook = "/v1/organizations/webhooks/torture";
        let limit = Instant::now() + END_TIME_MAX;
        loop {
            let body = json!({ "since": "2000-01-01T00:00:00Z", "only_failed": true });
            host.ok("POST", &format!("{hook}/replay"), &body)?;
            let waiting =
                host.ok("GET", &format!("{hook}/deliveries?status=pending"), &json!(null))?;
            let count = waiting["results"].as_array().map_or(0, Vec::len);
            if count == 0 && self.missing(&receiver.heard()) == 0 {
                return Ok(());
            }
            ensure!(
                Instant::now() < limit,
                "{count} deliveries still wait, {} events are missing: {waiting}",
                self.missing(&receiver.heard())
            );
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Events of acknowledged changes that nobody heard of.
    fn missing(&self, more: &[Received]) -> usize {
        let told: BTreeSet<(String, String)> = self
            .heard
            .iter()
            .chain(more)
            .map(|received| {
                let body = received.json();
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_string();
                (text("subject"), text("type"))
            })
            .collect();
        let has = |id: &str, kind: &str| told.contains(&(id.to_string(), kind.to_string()));
        let made = self.made.keys().filter(|id| !has(id, "bucket.created")).count();
        let deleted = self.made.iter().filter(|(_, deleted)| **deleted);
        made + deleted.filter(|(id, _)| !has(id, "bucket.deleted")).count()
    }

    fn check(&self, secret: &str, deaths: [u64; 2]) -> Result<String> {
        let missing = self.missing(&[]);
        ensure!(missing == 0, "{missing} events were never delivered");
        let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let mut sequences: BTreeMap<String, BTreeMap<u64, &str>> = BTreeMap::new();
        for received in &self.heard {
            let id = received.header("webhook-id");
            ensure!(received.verifies(secret), "the signature of {id} does not verify");
            let body = received.json();
            ensure!(body["id"] == id, "the header says {id}, the body {}", body["id"]);
            let first = bodies.entry(id).or_insert(&received.body);
            ensure!(*first == received.body, "event {id} was told in two ways");
            let subject = body["subject"].as_str().context("no subject")?.to_string();
            let sequence = body["sequence"].as_u64().context("no sequence")?;
            let known = *sequences.entry(subject).or_default().entry(sequence).or_insert(id);
            ensure!(known == id, "{known} and {id} have one number");
        }
        for (subject, numbers) in &sequences {
            let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
            let found: Vec<u64> = numbers.keys().copied().collect();
            ensure!(found == wanted, "the events of {subject} are numbered {found:?}");
        }
        let repeated = self.heard.len() - bodies.len();
        let [host, receiver] = deaths;
        Ok(format!(
            "webhooks: {host} kills of the server and {receiver} of the receiver, {} events of {} \
             buckets, 0 lost, {repeated} messages more than once",
            bodies.len(),
            sequences.len()
        ))
    }
}
