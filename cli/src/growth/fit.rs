//! Lines through figures, by least squares.

/// y = start + slope x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// y at 0.
    pub start: f64,
    /// What one more x adds.
    pub slope: f64,
    /// The greatest distance of a point from the line.
    pub worst: f64,
}

impl Line {
    /// The line through points; `None` for fewer than two different x.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let square: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
        if points.len() < 2 || square == 0.0 {
            return None;
        }
        let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / square;
        let start = y - slope * x;
        let worst = points.iter().map(|p| (p.1 - start - slope * p.0).abs()).fold(0.0, f64::max);
        Some(Self { start, slope, worst })
    }
}

/// The power of x by which y grew between the last two points: 1 is in proportion.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let [.., (x0, y0), (x1, y1)] = points else { return None };
    Some((y1 / y0).log2() / (x1 / x0).log2()).filter(|power| power.is_finite())
}
