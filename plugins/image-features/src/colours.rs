//! Dominant colours: k-means in L*a*b* over a colour histogram.
//!
//! The start is the greedy form of k-means++ (Arthur, Vassilvitskii 2007) without its dice: the
//! most frequent colour, then always the one with the largest frequency times squared distance.

use serde::Serialize;

use crate::lab::{Lab, Linear, distance_squared};
use crate::picture::Picture;

/// Rounds of k-means; the centres stand still long before.
const ROUNDS: usize = 16;
/// Clusters closer than this (CIE76) are one colour to the eye at a glance.
const MERGE_DISTANCE: f64 = 10.0;
/// Smaller shares are noise.
const SHARE_MIN: f64 = 0.005;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Colour {
    /// `#rrggbb`.
    pub hex: String,
    /// Of the picture's area, 0 to 1.
    pub share: f64,
}

/// Pixels whose colours agree in the upper five bits.
#[derive(Clone, Copy, Default)]
struct Group {
    count: u64,
    sum: [u64; 3],
}

impl Group {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        for (sum, value) in self.sum.iter_mut().zip(other.sum) {
            *sum += value;
        }
    }

    fn mean(&self) -> [u8; 3] {
        self.sum.map(|sum| ((sum + self.count / 2) / self.count.max(1)) as u8)
    }
}

/// At most `limit` colours, the largest share first.
pub(crate) fn dominant(picture: &Picture, limit: usize, linear: &Linear) -> Vec<Colour> {
    let groups = histogram(picture);
    let points: Vec<Lab> = groups.iter().map(|group| linear.lab(group.mean())).collect();
    let mut centres = seeds(&groups, &points, limit);
    let mut clusters = Vec::new();
    for _ in 0..ROUNDS {
        clusters = assign(&groups, &points, &centres);
        let moved: Vec<Lab> = clusters.iter().map(|cluster| linear.lab(cluster.mean())).collect();
        if moved == centres {
            break;
        }
        centres = moved;
    }
    let clusters = merge(clusters, linear);
    let whole = picture.pixels.len() as f64;
    clusters
        .into_iter()
        .map(|cluster| {
            let [r, g, b] = cluster.mean();
            let share = (cluster.count as f64 / whole * 10_000.0).round() / 10_000.0;
            Colour { hex: format!("#{r:02x}{g:02x}{b:02x}"), share }
        })
        .filter(|colour| colour.share >= SHARE_MIN)
        .collect()
}

fn histogram(picture: &Picture) -> Vec<Group> {
    let mut groups = vec![Group::default(); 1 << 15];
    for pixel in &picture.pixels {
        let [r, g, b] = pixel.map(|level| usize::from(level >> 3));
        groups[r << 10 | g << 5 | b].add(Group { count: 1, sum: pixel.map(u64::from) });
    }
    groups.retain(|group| group.count > 0);
    groups
}

fn seeds(groups: &[Group], points: &[Lab], limit: usize) -> Vec<Lab> {
    let mut centres: Vec<Lab> = Vec::new();
    let mut nearest = vec![1.0_f64; points.len()];
    while centres.len() < limit {
        let weight = |at: usize| groups[at].count as f64 * nearest[at];
        // The first of equals, so that ties fall the same way everywhere.
        let best =
            (1..points.len()).fold(0, |best, at| if weight(at) > weight(best) { at } else { best });
        if weight(best) == 0.0 {
            break;
        }
        let centre = points[best];
        for (near, point) in nearest.iter_mut().zip(points) {
            let distance = distance_squared(*point, centre);
            *near = if centres.is_empty() { distance } else { near.min(distance) };
        }
        centres.push(centre);
    }
    centres
}

/// One group for each centre that has pixels.
fn assign(groups: &[Group], points: &[Lab], centres: &[Lab]) -> Vec<Group> {
    let mut clusters = vec![Group::default(); centres.len()];
    for (group, point) in groups.iter().zip(points) {
        let mut best = (0, f64::INFINITY);
        for (at, centre) in centres.iter().enumerate() {
            let distance = distance_squared(*point, *centre);
            if distance < best.1 {
                best = (at, distance);
            }
        }
        clusters[best.0].add(*group);
    }
    clusters.retain(|cluster| cluster.count > 0);
    clusters
}

/// Largest first; a cluster close to a larger one joins it.
fn merge(mut clusters: Vec<Group>, linear: &Linear) -> Vec<Group> {
    let order = |clusters: &mut Vec<Group>| {
        clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.count), cluster.mean()));
    };
    order(&mut clusters);
    let mut merged: Vec<Group> = Vec::new();
    for cluster in clusters {
        let lab = linear.lab(cluster.mean());
        let near = |other: &&mut Group| {
            distance_squared(linear.lab(other.mean()), lab) < MERGE_DISTANCE * MERGE_DISTANCE
        };
        match merged.iter_mut().find(near) {
            Some(other) => other.add(cluster),
            None => merged.push(cluster),
        }
    }
    order(&mut merged);
    merged
}
