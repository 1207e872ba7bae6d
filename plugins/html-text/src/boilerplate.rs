//! Which blocks are the page's own text.
//!
//! The classifier is algorithm 2 of Kohlschütter, Fankhauser, Nejdl: "Boilerplate Detection using
//! Shallow Text Features" (WSDM 2010): the number of words and the link density of a block and its
//! two neighbours. Before it, what HTML itself marks as furniture goes; after it, gaps close.

use crate::flow::{Block, Kind};

/// With so many words an `article` or `main` element is taken at its word: only it is read.
const ARTICLE_WORDS_MIN: u32 = 50;
/// With fewer words found the whole page is better than what the heuristics left of it.
const MAIN_WORDS_MIN: u32 = 25;
/// Low-density blocks between two content blocks are content when there are no more of them.
const GAP_BLOCKS_MAX: usize = 4;
const LINK_DENSITY_MAX: f32 = 1.0 / 3.0;

/// The indexes of the blocks to keep, ascending.
pub(crate) fn main_blocks(blocks: &[Block]) -> Vec<usize> {
    let candidates = candidates(blocks);
    let in_article: u32 =
        candidates.iter().filter(|at| blocks[**at].zone.article).map(|at| blocks[*at].words).sum();
    let kept = if in_article >= ARTICLE_WORDS_MIN {
        let article = candidates.iter().filter(|at| blocks[**at].zone.article).copied();
        // Short paragraphs count here, link lists still do not.
        keep_headings(
            article.map(|at| (at, blocks[at].link_density() <= LINK_DENSITY_MAX)).collect(),
            blocks,
        )
    } else {
        let classified = classify(&candidates, blocks);
        keep_headings(close_gaps(classified, blocks), blocks)
    };
    let words: u32 = kept.iter().map(|at| blocks[*at].words).sum();
    if words >= MAIN_WORDS_MIN { kept } else { (0..blocks.len()).collect() }
}

/// Drops furniture, forms and blocks with telling class names; the latter two only if they are the
/// smaller part of the page, because some frameworks put a whole page into one form.
fn candidates(blocks: &[Block]) -> Vec<usize> {
    let kept: Vec<usize> = (0..blocks.len()).filter(|at| !blocks[*at].zone.furniture).collect();
    let without = |kept: Vec<usize>, marked: fn(&Block) -> bool| {
        let words = |want: bool| -> u32 {
            kept.iter().map(|at| &blocks[*at]).filter(|b| marked(b) == want).map(|b| b.words).sum()
        };
        if words(true) > words(false) {
            return kept;
        }
        kept.into_iter().filter(|at| !marked(&blocks[*at])).collect()
    };
    without(without(kept, |b| b.zone.form), |b| b.zone.unlikely)
}

fn classify(candidates: &[usize], blocks: &[Block]) -> Vec<(usize, bool)> {
    let features = |at: Option<&usize>| match at {
        Some(at) => (blocks[*at].words, blocks[*at].link_density()),
        None => (0, 0.0),
    };
    let verdict = |position: usize| {
        let before = position.checked_sub(1).and_then(|p| candidates.get(p));
        let (words_before, density_before) = features(before);
        let (words, density) = features(candidates.get(position));
        let (words_after, _) = features(candidates.get(position + 1));
        if density > LINK_DENSITY_MAX {
            false
        } else if density_before <= 0.555_556 {
            words > 16 || words_after > 15 || words_before > 4
        } else {
            words > 40 || words_after > 17
        }
    };
    candidates.iter().enumerate().map(|(position, at)| (*at, verdict(position))).collect()
}

fn close_gaps(mut verdicts: Vec<(usize, bool)>, blocks: &[Block]) -> Vec<(usize, bool)> {
    let mut last_kept = None;
    for position in 0..verdicts.len() {
        if !verdicts[position].1 {
            continue;
        }
        if let Some(last) = last_kept
            && position - last <= GAP_BLOCKS_MAX + 1
        {
            for (at, kept) in &mut verdicts[last + 1..position] {
                *kept = blocks[*at].link_density() <= LINK_DENSITY_MAX;
            }
        }
        last_kept = Some(position);
    }
    verdicts
}

/// A heading belongs to what follows it; headings that head nothing go.
fn keep_headings(verdicts: Vec<(usize, bool)>, blocks: &[Block]) -> Vec<usize> {
    let mut follows_content = false;
    let mut kept = Vec::new();
    for (at, verdict) in verdicts.into_iter().rev() {
        let heading = matches!(blocks[at].kind, Kind::Heading(_));
        if !heading {
            follows_content = verdict;
        }
        if if heading { follows_content } else { verdict } {
            kept.push(at);
        }
    }
    kept.reverse();
    kept
}
