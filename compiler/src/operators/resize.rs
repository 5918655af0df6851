//! `Resize` and `Upsample`: nearest neighbours by whole factors.

use super::Reader;
use crate::error::CompileError;

impl Reader<'_> {
    pub(super) fn resize(&mut self) -> Result<(), CompileError> {
        self.arity(1, 4)?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let upsample = self.node.operator == "Upsample";
        let mode = self.node.attributes.text("mode", "nearest")?;
        if mode != "nearest" {
            return Err(self
                .node
                .attributes
                .refuse("mode", format!("it is {mode}, and only nearest is compiled")));
        }
        let old = upsample || self.builder.opset < 11;
        let (place, round) = if old {
            ("asymmetric".to_string(), "floor".to_string())
        } else {
            (
                self.node.attributes.text("coordinate_transformation_mode", "half_pixel")?,
                self.node.attributes.text("nearest_mode", "round_prefer_floor")?,
            )
        };
        // They matter for other modes only.
        for name in ["cubic_coeff_a", "exclude_outside", "extrapolation_value", "antialias"] {
            let _unused = self.node.attributes.take(name);
        }
        let policy = self.node.attributes.text("keep_aspect_ratio_policy", "stretch")?;
        if policy != "stretch" {
            return Err(self.node.attributes.refuse("keep_aspect_ratio_policy", "only stretch is compiled"));
        }
        let rank = from.len();
        let axes = match self.node.attributes.ints("axes")? {
            Some(axes) => axes.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?,
            None => (0..rank).collect(),
        };
        let scales = match self.node.attributes.take("scales") {
            Some(crate::attributes::Attribute::Floats(scales)) => Some(scales),
            _ => {
                let index = if old { 1 } else { 2 };
                self.optional_constant(index)?.map(|c| c.to_f32()).filter(|scales| !scales.is_empty())
            }
        };
        let sizes = if old { None } else { self.listed("", 3)?.filter(|sizes| !sizes.is_empty()) };
        let given: Vec<f64> = match (scales, sizes) {
            (Some(scales), None) => scales.iter().map(|&s| f64::from(s)).collect(),
            (None, Some(sizes)) if sizes.len() == axes.len() => {
                sizes.iter().zip(&axes).map(|(&size, &axis)| size as f64 / from[axis] as f64).collect()
            }
            _ => return Err(self.fail("it has not either scales or sizes for each dimension")),
        };
        if given.len() != axes.len() {
            return Err(self.fail(format!("it has {} scales for {} dimensions", given.len(), axes.len())));
        }
        let mut factors = vec![1usize; rank];
        for (&scale, &axis) in given.iter().zip(&axes) {
            if !(1.0..=4096.0).contains(&scale) || scale.fract() != 0.0 {
                return Err(self.fail(format!("it scales by {scale}; only whole factors are compiled")));
            }
            factors[axis] = scale as usize;
            self.constant_size(&[from[axis], factors[axis]])?;
            let plain = (0..from[axis] * factors[axis])
                .all(|i| nearest(i, from[axis], factors[axis], &place, &round) == Some(i / factors[axis]));
            if !plain {
                return Err(self.node.attributes.refuse(
                    "coordinate_transformation_mode",
                    format!("{place} with {round} does not repeat each element; use asymmetric with floor"),
                ));
            }
        }
        let resized = self.repeat(x, factors)?;
        self.bind(0, resized);
        Ok(())
    }
}

/// Which input element ONNX takes for output element `i`.
fn nearest(i: usize, size: usize, factor: usize, place: &str, round: &str) -> Option<usize> {
    let (scale, out) = (factor as f64, (size * factor) as f64);
    let x = i as f64;
    let at = match place {
        "half_pixel" | "half_pixel_symmetric" => (x + 0.5) / scale - 0.5,
        "pytorch_half_pixel" => {
            if out > 1.0 {
                (x + 0.5) / scale - 0.5
            } else {
                0.0
            }
        }
        "asymmetric" => x / scale,
        "align_corners" => {
            if out > 1.0 {
                x * (size as f64 - 1.0) / (out - 1.0)
            } else {
                0.0
            }
        }
        _ => return None,
    };
    let rounded = match round {
        "round_prefer_floor" => (at - 0.5).ceil(),
        "round_prefer_ceil" => (at + 0.5).floor(),
        "floor" => at.floor(),
        "ceil" => at.ceil(),
        _ => return None,
    };
    Some(rounded.clamp(0.0, size as f64 - 1.0) as usize)
}
