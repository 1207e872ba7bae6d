//! CIE L*a*b* (D65) of sRGB colours, through the `libm` crate on every target: the standard
//! library's `powf` and `cbrt` differ between a native build and WebAssembly.

/// L* 0 to 100, a* and b* about -110 to 110.
pub(crate) type Lab = [f64; 3];

/// Linear light of sRGB levels 0 to 255.
pub(crate) struct Linear([f64; 256]);

impl Linear {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|level| {
            let value = level as f64 / 255.0;
            if value <= 0.04045 { value / 12.92 } else { libm::pow((value + 0.055) / 1.055, 2.4) }
        }))
    }

    pub(crate) fn of(&self, rgb: [u8; 3]) -> [f64; 3] {
        rgb.map(|level| self.0[usize::from(level)])
    }

    pub(crate) fn lab(&self, rgb: [u8; 3]) -> Lab {
        lab(self.of(rgb))
    }
}

/// From linear light, by the matrix of IEC 61966-2-1 and the white point of the colour space.
pub(crate) fn lab([r, g, b]: [f64; 3]) -> Lab {
    let x = (0.412_390_8 * r + 0.357_584_3 * g + 0.180_480_8 * b) / 0.950_455_9;
    let y = 0.212_639_0 * r + 0.715_168_7 * g + 0.072_192_3 * b;
    let z = (0.019_330_8 * r + 0.119_194_8 * g + 0.950_532_2 * b) / 1.089_057_8;
    let [x, y, z] = [x, y, z].map(|value| {
        if value > 216.0 / 24_389.0 {
            libm::cbrt(value)
        } else {
            (24_389.0 / 27.0 * value + 16.0) / 116.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The square of the colour difference CIE76.
pub(crate) fn distance_squared(a: Lab, b: Lab) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]) * (a[axis] - b[axis])).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_published_values() {
        let linear = Linear::new();
        for (rgb, expected) in [
            ([0, 0, 0], [0.0, 0.0, 0.0]),
            ([255, 255, 255], [100.0, 0.0, 0.0]),
            ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 0, 255], [32.30, 79.19, -107.86]),
            ([119, 119, 119], [50.03, 0.0, 0.0]),
        ] {
            let found = linear.lab(rgb);
            assert!(distance_squared(found, expected) < 0.01, "{rgb:?}: {found:?}");
        }
    }
}
