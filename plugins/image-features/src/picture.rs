//! Small pictures, and the exact averaging that makes them.

/// Opaque sRGB pixels, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<[u8; 3]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    /// The same shape with a long side of at most `px`.
    pub(crate) fn fit(self, px: u32) -> Self {
        let long = u64::from(self.width.max(self.height));
        if long <= u64::from(px) {
            return self;
        }
        let scale = |side: u32| (u64::from(side) * u64::from(px) + long / 2) / long;
        Self { width: scale(self.width).max(1) as u32, height: scale(self.height).max(1) as u32 }
    }
}

/// A line of 16-bit RGB pixels.
pub(crate) type Line = [[u16; 3]];

/// Averages `from` to `to` pixels, each source pixel weighted by the part of it that lies in the
/// target pixel. Integers only, so the result is the same everywhere; works upwards as well.
/// `read` fills one source line; they are asked for in order, once each.
pub(crate) fn area_average(from: Size, to: Size, mut read: impl FnMut(u32, &mut Line)) -> Picture {
    let mut line = vec![[0; 3]; from.width as usize];
    let across = overlaps(from.width, to.width);
    let down = overlaps(from.height, to.height);
    let mut row = vec![[0_u64; 3]; to.width as usize];
    let mut sums = vec![[0_u64; 3]; to.width as usize * to.height as usize];
    let mut down = down.into_iter().peekable();
    for y in 0..from.height {
        read(y, &mut line);
        row.fill([0; 3]);
        for part in &across {
            let pixel = line[part.source as usize];
            for (sum, value) in row[part.target as usize].iter_mut().zip(pixel) {
                *sum += part.weight * u64::from(value);
            }
        }
        while let Some(part) = down.next_if(|part| part.source == y) {
            let start = part.target as usize * to.width as usize;
            for (sum, value) in sums[start..start + to.width as usize].iter_mut().zip(&row) {
                for (sum, value) in sum.iter_mut().zip(value) {
                    *sum += part.weight * value;
                }
            }
        }
    }
    // The weights of one target pixel add up to the source's size. Pictures have at most 2^28
    // pixels, so the sums stay below 2^44.
    let whole = u64::from(from.width) * u64::from(from.height) * 257;
    let pixels = sums.into_iter().map(|sum| sum.map(|sum| ((sum + whole / 2) / whole) as u8));
    Picture { width: to.width, height: to.height, pixels: pixels.collect() }
}

struct Overlap {
    source: u32,
    target: u32,
    weight: u64,
}

/// Which source pixels lie in which target pixels, on one axis, in the order of both. A source
/// pixel is `to` units long and a target pixel `from` units.
fn overlaps(from: u32, to: u32) -> Vec<Overlap> {
    let (from, to) = (u64::from(from), u64::from(to));
    let (mut source, mut target) = (0, 0);
    let mut parts = Vec::new();
    while source < from && target < to {
        let start = (source * to).max(target * from);
        let end = ((source + 1) * to).min((target + 1) * from);
        parts.push(Overlap { source: source as u32, target: target as u32, weight: end - start });
        if (source + 1) * to == end {
            source += 1;
        }
        if (target + 1) * from == end {
            target += 1;
        }
    }
    parts
}

impl Picture {
    pub(crate) fn size(&self) -> Size {
        Size { width: self.width, height: self.height }
    }

    pub(crate) fn resized(&self, to: Size) -> Self {
        area_average(self.size(), to, |y, line| {
            let start = y as usize * self.width as usize;
            for (to, from) in line.iter_mut().zip(&self.pixels[start..]) {
                *to = from.map(|value| u16::from(value) * 257);
            }
        })
    }

    /// Luma of every pixel (ITU-R BT.601), in 1/256 of a level.
    pub(crate) fn luma(&self) -> impl Iterator<Item = i32> {
        self.pixels
            .iter()
            .map(|[r, g, b]| 77 * i32::from(*r) + 150 * i32::from(*g) + 29 * i32::from(*b))
    }

    /// Undoes an EXIF orientation (1 to 8): turns stored pixels the right way up.
    pub(crate) fn upright(self, orientation: u8) -> Self {
        let (width, height) = (self.width, self.height);
        let turned = orientation >= 5;
        let (to_width, to_height) = if turned { (height, width) } else { (width, height) };
        let stored = |x: u32, y: u32| match orientation {
            2 => (width - 1 - x, y),
            3 => (width - 1 - x, height - 1 - y),
            4 => (x, height - 1 - y),
            5 => (y, x),
            6 => (y, height - 1 - x),
            7 => (width - 1 - y, height - 1 - x),
            8 => (width - 1 - y, x),
            _ => (x, y),
        };
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..to_height {
            for x in 0..to_width {
                let (x, y) = stored(x, y);
                pixels.push(self.pixels[y as usize * width as usize + x as usize]);
            }
        }
        Self { width: to_width, height: to_height, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, levels: &[u8]) -> Picture {
        let pixels: Vec<_> = levels.iter().map(|level| [*level; 3]).collect();
        Picture { width, height: pixels.len() as u32 / width, pixels }
    }

    #[test]
    fn averaging_weighs_pixels_by_their_part() {
        let size = |width, height| Size { width, height };
        assert_eq!(grey(2, &[0, 100]).resized(size(1, 1)), grey(1, &[50]));
        assert_eq!(grey(3, &[0, 90, 60]).resized(size(2, 1)), grey(2, &[30, 70]));
        assert_eq!(
            grey(2, &[10, 20]).resized(size(4, 2)),
            grey(4, &[10, 10, 20, 20, 10, 10, 20, 20])
        );
        assert_eq!(grey(3, &[7; 21]).resized(size(2, 5)), grey(2, &[7; 10]));
    }

    #[test]
    fn sizes_keep_their_shape() {
        let fit = |width, height| Size { width, height }.fit(256);
        assert_eq!(fit(1024, 512), Size { width: 256, height: 128 });
        assert_eq!(fit(3, 50_000), Size { width: 1, height: 256 });
        assert_eq!(fit(10, 20), Size { width: 10, height: 20 });
    }

    #[test]
    fn every_orientation_is_undone() {
        // A F-like shape without symmetry: 1 2 / 3 4 / 5 6, as cameras store it for each value.
        let upright = grey(2, &[1, 2, 3, 4, 5, 6]);
        for (orientation, width, stored) in [
            (1, 2, [1, 2, 3, 4, 5, 6]),
            (2, 2, [2, 1, 4, 3, 6, 5]),
            (3, 2, [6, 5, 4, 3, 2, 1]),
            (4, 2, [5, 6, 3, 4, 1, 2]),
            (5, 3, [1, 3, 5, 2, 4, 6]),
            (6, 3, [2, 4, 6, 1, 3, 5]),
            (7, 3, [6, 4, 2, 5, 3, 1]),
            (8, 3, [5, 3, 1, 6, 4, 2]),
        ] {
            assert_eq!(grey(width, &stored).upright(orientation), upright, "{orientation}");
        }
    }
}
