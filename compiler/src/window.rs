//! Sliding windows of convolutions and pools: strides, dilations, explicit and automatic padding.

use crate::attributes::Attributes;
use crate::error::CompileError;
use crate::limits::MAX_WINDOW;

/// A two-dimensional sliding window; every pair is `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Step between the taps of a window.
    pub dilation: [usize; 2],
    /// Padding before the first row and column.
    pub begin: [usize; 2],
    /// Padding after the last row and column.
    pub end: [usize; 2],
    /// Size of the input.
    pub input: [usize; 2],
    /// Size of the output.
    pub output: [usize; 2],
}

impl Window {
    /// Reads `strides`, `dilations`, `pads`, `auto_pad` and `ceil_mode` of a node whose kernel is
    /// known, for an input of `[height, width]` of which the last `dims` are given. The formulas are those of the
    /// ONNX operators. `ceil` says whether a window may hang over the end, where that only adds padding.
    pub(crate) fn read(
        attributes: &mut Attributes,
        dims: usize,
        kernel: [usize; 2],
        input: [usize; 2],
        ceil: bool,
    ) -> Result<Self, CompileError> {
        let stride = sizes(attributes, "strides", dims)?.unwrap_or([1, 1]);
        let dilation = sizes(attributes, "dilations", dims)?.unwrap_or([1, 1]);
        let pads = pads(attributes, dims)?;
        let auto = attributes.text("auto_pad", "NOTSET")?;
        let up = attributes.int("ceil_mode", 0)? != 0;
        let mut window = Self { kernel, stride, dilation, begin: [0; 2], end: [0; 2], input, output: [0; 2] };
        match (auto.as_str(), pads) {
            ("NOTSET", pads) => (window.begin, window.end) = pads.unwrap_or(([0; 2], [0; 2])),
            ("VALID" | "SAME_UPPER" | "SAME_LOWER", Some(pads)) if pads != ([0; 2], [0; 2]) => {
                return Err(attributes.refuse("pads", format!("auto_pad is {auto} already")));
            }
            ("VALID", _) => {}
            ("SAME_UPPER", _) => window.pad_same(true),
            ("SAME_LOWER", _) => window.pad_same(false),
            _ => {
                return Err(
                    attributes.refuse("auto_pad", "NOTSET, VALID, SAME_UPPER and SAME_LOWER are compiled")
                );
            }
        }
        for axis in 0..2 {
            let padded = input[axis] + window.begin[axis] + window.end[axis];
            let Some(room) = padded.checked_sub(window.extent(axis)) else {
                return Err(attributes.refuse(
                    "kernel_shape",
                    format!(
                        "the window of {} exceeds the {padded} padded rows or columns",
                        window.extent(axis)
                    ),
                ));
            };
            window.output[axis] = room / stride[axis] + 1;
            let over = room % stride[axis];
            // A further window must begin inside the input or the padding before it.
            let begins = window.output[axis] * stride[axis] < input[axis] + window.begin[axis];
            if up && over != 0 && begins {
                if !ceil {
                    return Err(attributes.refuse("ceil_mode", "only whole windows are compiled here"));
                }
                window.output[axis] += 1;
                window.end[axis] += stride[axis] - over;
            }
        }
        Ok(window)
    }

    /// Rows or columns that one window spans.
    #[must_use]
    pub fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Number of taps.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether any window reads padding.
    #[must_use]
    pub fn is_padded(&self) -> bool {
        self.begin != [0; 2] || self.end != [0; 2]
    }

    /// Taps inside the input for the window at `[row, column]`.
    #[must_use]
    pub fn real_taps(&self, at: [usize; 2]) -> usize {
        (0..2).map(|axis| self.real_taps_along(axis, at[axis])).product()
    }

    /// Whether every window of dilation 1 reads at least one element of the input: the first and
    /// the last do.
    #[must_use]
    pub fn all_windows_real(&self) -> bool {
        (0..2).all(|axis| {
            let last = (self.output[axis] - 1) * self.stride[axis];
            self.begin[axis] < self.kernel[axis] && last < self.begin[axis] + self.input[axis]
        })
    }

    fn real_taps_along(&self, axis: usize, at: usize) -> usize {
        (0..self.kernel[axis])
            .filter(|tap| {
                let place = at * self.stride[axis] + tap * self.dilation[axis];
                (self.begin[axis]..self.begin[axis] + self.input[axis]).contains(&place)
            })
            .count()
    }

    fn pad_same(&mut self, upper: bool) {
        for axis in 0..2 {
            let output = self.input[axis].div_ceil(self.stride[axis]);
            let needed = (output.saturating_sub(1) * self.stride[axis]) + self.extent(axis);
            let total = needed.saturating_sub(self.input[axis]);
            let (small, large) = (total / 2, total.div_ceil(2));
            (self.begin[axis], self.end[axis]) = if upper { (small, large) } else { (large, small) };
        }
    }
}

/// Reads one positive size for each of the last `dims` dimensions.
pub(crate) fn sizes(
    attributes: &mut Attributes,
    name: &str,
    dims: usize,
) -> Result<Option<[usize; 2]>, CompileError> {
    let Some(values) = attributes.ints(name)? else { return Ok(None) };
    match bounded(&values, 1).as_deref() {
        Some(&[height, width]) if dims == 2 => Ok(Some([height, width])),
        Some(&[width]) if dims == 1 => Ok(Some([1, width])),
        _ => Err(attributes.refuse(name, format!("{dims} sizes from 1 to {MAX_WINDOW} are compiled"))),
    }
}

/// Reads one amount for each of the last `dims` dimensions.
pub(crate) fn amounts(
    attributes: &mut Attributes,
    name: &str,
    dims: usize,
) -> Result<Option<[usize; 2]>, CompileError> {
    let Some(values) = attributes.ints(name)? else { return Ok(None) };
    match bounded(&values, 0).as_deref() {
        Some(&[height, width]) if dims == 2 => Ok(Some([height, width])),
        Some(&[width]) if dims == 1 => Ok(Some([0, width])),
        _ => Err(attributes.refuse(name, format!("{dims} sizes from 0 to {MAX_WINDOW} are compiled"))),
    }
}

/// Padding in front and behind.
type Pads = ([usize; 2], [usize; 2]);

/// Reads `pads`.
pub(crate) fn pads(attributes: &mut Attributes, dims: usize) -> Result<Option<Pads>, CompileError> {
    let Some(values) = attributes.ints("pads")? else { return Ok(None) };
    match bounded(&values, 0).as_deref() {
        Some(&[top, left, bottom, right]) if dims == 2 => Ok(Some(([top, left], [bottom, right]))),
        Some(&[left, right]) if dims == 1 => Ok(Some(([0, left], [0, right]))),
        _ => Err(attributes.refuse("pads", format!("{} sizes from 0 to {MAX_WINDOW} are", 2 * dims))),
    }
}

fn bounded(values: &[i64], least: usize) -> Option<Vec<usize>> {
    values.iter().map(|&v| usize::try_from(v).ok().filter(|v| (least..=MAX_WINDOW).contains(v))).collect()
}
