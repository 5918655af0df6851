//! The terms of an element that lie inside the windows, and where operand a's stand (SPEC 2.1).

use super::plan::{Planned, Window};

/// The first and one past the last reduction position inside a window, at output position `o`; (0, 0) for none.
pub(super) fn inside(window: &Window, o: usize, red: usize) -> (usize, usize) {
    if window.limit == 0 {
        return (0, red);
    }
    // v = start + t * red_step; o < 2^31 and the steps below 2^16, so nothing here comes near 2^63.
    let start = o as i64 * window.out_step - window.offset;
    // The least t with start + t * red_step >= bound, at least 0.
    let first_at = |bound: i64| ((bound - start).max(0) + window.red_step - 1) / window.red_step;
    let (low, high) = (first_at(0), first_at(window.limit).min(red as i64));
    if low < high { (low as usize, high as usize) } else { (0, 0) }
}

/// The inside terms of one element: a box in (t0, t1) and all of t2.
pub(super) struct Span {
    pub t0: (usize, usize),
    pub t1: (usize, usize),
    /// Address in a of term (t0.0, t1.0, 0).
    pub address: usize,
    /// Steps in a from one t0, t1, t2 to the next inside the box.
    pub step: [usize; 3],
}

impl Span {
    /// The inside terms at output position (o0, o1), with o2 and o3 too in the address; `None` if there are none.
    pub fn new(operator: &Planned, o: [usize; 4]) -> Option<Self> {
        let t0 = inside(&operator.windows[0], o[0], operator.red[0]);
        let t1 = inside(&operator.windows[1], o[1], operator.red[1]);
        if t0.1 == 0 || t1.1 == 0 {
            return None;
        }
        let map = &operator.a.map;
        let mut step = map.red;
        let mut address = map.base + dot(&o, &map.out);
        for (axis, first) in [t0.0, t1.0].into_iter().enumerate() {
            let window = &operator.windows[axis];
            address += first * map.red[axis];
            if window.limit > 0 {
                // Inside, so 0 <= v < limit, and legality bounds v * stride by the tensor's elements.
                let v = o[axis] as i64 * window.out_step + first as i64 * window.red_step - window.offset;
                address += v as usize * window.stride;
                step[axis] += window.red_step as usize * window.stride;
            }
        }
        Some(Self { t0, t1, address, step })
    }
}

/// Sum of coordinates times strides.
pub(super) fn dot(coordinates: &[usize; 4], strides: &[usize; 4]) -> usize {
    coordinates.iter().zip(strides).map(|(c, s)| c * s).sum()
}

/// The coordinates (o0, o1, o2) of row `row` of the output: the elements that differ in o3 alone.
pub(super) fn row_coordinates(out: &[usize; 4], row: usize) -> [usize; 3] {
    [row / (out[1] * out[2]), row / out[2] % out[1], row % out[2]]
}
