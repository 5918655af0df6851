//! Where the elements of a stored tensor stand: images are stored channels-last, ONNX counts channels first.

/// Channels, height and width; a vector is `[features, 1, 1]`.
pub(crate) type Dims = [usize; 3];

/// Elements between neighbours along channels, height and width.
pub(crate) type Steps = [usize; 3];

/// A stored tensor: the channels-last form of an image of these dimensions. Reshapes keep ONNX's
/// channels-first order of elements, so a tensor keeps its layout through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout(pub Dims);

impl Layout {
    /// Number of elements.
    pub(crate) fn elements(self) -> usize {
        self.0.iter().product()
    }

    /// Whether the stored order is ONNX's order.
    pub(crate) fn is_plain(self) -> bool {
        let [channels, height, width] = self.0;
        channels == 1 || height * width == 1
    }

    /// The steps by which the tensor reads as an image of other dimensions, if there are such.
    pub(crate) fn view(self, dims: Dims) -> Option<Steps> {
        let [channels, height, width] = dims;
        if channels == self.0[0] {
            Some([1, width * channels, channels])
        } else if self.is_plain() {
            Some([height * width, width, 1])
        } else {
            None
        }
    }

    /// The ONNX index of the element stored at `at`.
    pub(crate) fn source_index(self, at: usize) -> usize {
        let [channels, height, width] = self.0;
        (at % channels) * height * width + at / channels
    }

    /// Values in ONNX's order put in the stored order.
    pub(crate) fn store<T: Copy>(self, values: &[T]) -> Vec<T> {
        (0..values.len()).map(|at| values[self.source_index(at)]).collect()
    }

    /// Values in the stored order put in ONNX's order.
    pub(crate) fn unstore<T: Copy + Default>(self, values: &[T]) -> Vec<T> {
        let mut out = vec![T::default(); values.len()];
        for (at, &value) in values.iter().enumerate() {
            out[self.source_index(at)] = value;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_order_is_channels_last() {
        let layout = Layout([2, 1, 3]);
        let onnx = [0, 1, 2, 10, 11, 12];
        assert_eq!(layout.store(&onnx), [0, 10, 1, 11, 2, 12]);
        assert_eq!(layout.unstore(&layout.store(&onnx)), onnx);
    }

    #[test]
    fn a_view_reads_what_a_reshape_means() {
        let layouts = [[6, 4, 1], [24, 1, 1], [1, 4, 6], [6, 2, 2]];
        let dims = [[6, 2, 2], [6, 4, 1], [2, 3, 4], [1, 1, 24], [24, 1, 1]];
        let onnx: Vec<usize> = (0..24).collect();
        for layout in layouts.map(Layout) {
            let stored = layout.store(&onnx);
            for dims in dims {
                let Some(steps) = layout.view(dims) else {
                    assert!(!layout.is_plain());
                    continue;
                };
                let mut read = Vec::new();
                for c in 0..dims[0] {
                    for h in 0..dims[1] {
                        for w in 0..dims[2] {
                            read.push(stored[c * steps[0] + h * steps[1] + w * steps[2]]);
                        }
                    }
                }
                assert_eq!(read, onnx, "{layout:?} as {dims:?}");
            }
        }
    }
}
