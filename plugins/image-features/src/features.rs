//! What a document says about a picture.

use crate::colours::{self, Colour};
use crate::hash::perceptual_hash;
use crate::lab::Linear;
use crate::layout::layout;
use crate::picture::Picture;

#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    pub colours: Vec<Colour>,
    pub hash: u64,
    /// [`DIMENSION`](crate::DIMENSION) floats of length 1.
    pub layout: Vec<f32>,
}

/// The features of a small upright picture, with at most so many colours.
pub fn features(picture: &Picture, colours: usize) -> Features {
    let linear = Linear::new();
    Features {
        colours: colours::dominant(picture, colours, &linear),
        hash: perceptual_hash(picture),
        layout: layout(picture, &linear),
    }
}
