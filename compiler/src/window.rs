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
    /// known, for an input of `[height, width]`. The formulas are those of the ONNX operators.
    pub(crate) fn read(
        attributes: &mut Attributes,
        kernel: [usize; 2],
        input: [usize; 2],
    ) -> Result<Self, CompileError> {
        let stride = pair(attributes, "strides")?.unwrap_or([1, 1]);
        let dilation = pair(attributes, "dilations")?.unwrap_or([1, 1]);
        let pads = four(attributes)?;
        let auto = attributes.text("auto_pad", "NOTSET")?;
        let ceil = attributes.int("ceil_mode", 0)? != 0;
        if kernel.iter().any(|k| !(1..=MAX_WINDOW).contains(k)) {
            return Err(attributes.refuse("kernel_shape", format!("sides 1 to {MAX_WINDOW} are")));
        }
        let mut window = Self { kernel, stride, dilation, begin: [0; 2], end: [0; 2], input, output: [0; 2] };
        match (auto.as_str(), pads) {
            ("NOTSET", None) => {}
            ("NOTSET", Some([top, left, bottom, right])) => {
                window.begin = [top, left];
                window.end = [bottom, right];
            }
            ("VALID" | "SAME_UPPER" | "SAME_LOWER", Some(pads)) if pads != [0; 4] => {
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
            if ceil && room % stride[axis] != 0 {
                return Err(attributes.refuse("ceil_mode", "only whole windows are compiled"));
            }
            window.output[axis] = room / stride[axis] + 1;
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

/// Reads two positive sizes.
pub(crate) fn pair(attributes: &mut Attributes, name: &str) -> Result<Option<[usize; 2]>, CompileError> {
    let Some(values) = attributes.ints(name)? else { return Ok(None) };
    let sizes: Option<Vec<usize>> =
        values.iter().map(|&v| usize::try_from(v).ok().filter(|v| (1..=MAX_WINDOW).contains(v))).collect();
    match sizes.as_deref() {
        Some(&[height, width]) => Ok(Some([height, width])),
        _ => {
            Err(attributes
                .refuse(name, format!("two sizes from 1 to {MAX_WINDOW} are compiled (2-D windows)")))
        }
    }
}

fn four(attributes: &mut Attributes) -> Result<Option<[usize; 4]>, CompileError> {
    let Some(values) = attributes.ints("pads")? else { return Ok(None) };
    let sizes: Option<Vec<usize>> =
        values.iter().map(|&v| usize::try_from(v).ok().filter(|v| *v <= MAX_WINDOW)).collect();
    match sizes.as_deref() {
        Some(&[top, left, bottom, right]) => Ok(Some([top, left, bottom, right])),
        _ => Err(attributes.refuse("pads", format!("four sizes from 0 to {MAX_WINDOW} are"))),
    }
}
