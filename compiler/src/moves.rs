//! Elements from one place to another: the same walks over constants of any type and over float activations.

/// Steps between neighbours of each dimension, row-major.
pub(crate) fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i] as isize;
    }
    strides
}

/// Elements in the order of a walk: from `base`, one step per dimension.
pub(crate) fn walk<T: Copy>(data: &[T], base: usize, shape: &[usize], steps: &[isize]) -> Vec<T> {
    let count: usize = shape.iter().product();
    let mut out = Vec::with_capacity(count);
    let Some((&last, outer)) = shape.split_last() else { return vec![data[base]] };
    if count == 0 {
        return out;
    }
    let step = steps[outer.len()];
    let mut at = vec![0usize; outer.len()];
    let mut row = base as isize;
    loop {
        if step == 1 {
            out.extend_from_slice(&data[row as usize..row as usize + last]);
        } else {
            out.extend((0..last as isize).map(|i| data[(row + i * step) as usize]));
        }
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return out;
            }
            axis -= 1;
            at[axis] += 1;
            row += steps[axis];
            if at[axis] < outer[axis] {
                break;
            }
            row -= steps[axis] * outer[axis] as isize;
            at[axis] = 0;
        }
    }
}

/// Dimensions in another order.
pub(crate) fn transpose<T: Copy>(data: &[T], shape: &[usize], order: &[usize]) -> Vec<T> {
    let from = strides(shape);
    let (out, steps): (Vec<_>, Vec<_>) = order.iter().map(|&d| (shape[d], from[d])).unzip();
    walk(data, 0, &out, &steps)
}

/// Every `steps[i]`-th element from `starts[i]` on, as many as `out` says.
pub(crate) fn slice<T: Copy>(
    data: &[T],
    shape: &[usize],
    starts: &[usize],
    steps: &[isize],
    out: &[usize],
) -> Vec<T> {
    if out.contains(&0) {
        return Vec::new();
    }
    let from = strides(shape);
    let base = starts.iter().zip(&from).map(|(&start, &stride)| start * stride as usize).sum();
    let steps: Vec<isize> = steps.iter().zip(&from).map(|(step, stride)| step * stride).collect();
    walk(data, base, out, &steps)
}

/// ONNX's broadcast of `shape` to `out`, which it must allow.
pub(crate) fn expand<T: Copy>(data: &[T], shape: &[usize], out: &[usize]) -> Vec<T> {
    if shape == out {
        return data.to_vec();
    }
    let from = strides(shape);
    let lead = out.len() - shape.len();
    let steps: Vec<isize> = (0..out.len())
        .map(|i| if i < lead || shape[i - lead] != out[i] { 0 } else { from[i - lead] })
        .collect();
    walk(data, 0, out, &steps)
}

/// Each element so often along each dimension.
pub(crate) fn repeat<T: Copy>(data: &[T], shape: &[usize], factors: &[usize]) -> Vec<T> {
    let from = strides(shape);
    let out: Vec<usize> = shape.iter().zip(factors).flat_map(|(&d, &f)| [d, f]).collect();
    let steps: Vec<isize> = from.iter().flat_map(|&s| [s, 0]).collect();
    walk(data, 0, &out, &steps)
}

/// Arrays joined along an axis.
pub(crate) fn concat<T: Copy>(parts: &[(&[T], &[usize])], axis: usize) -> Vec<T> {
    let outer: usize = parts[0].1[..axis].iter().product();
    let mut out = Vec::with_capacity(parts.iter().map(|(data, _)| data.len()).sum());
    for row in 0..outer {
        for (data, shape) in parts {
            let width: usize = shape[axis..].iter().product();
            out.extend_from_slice(&data[row * width..(row + 1) * width]);
        }
    }
    out
}

/// A fill around an array.
pub(crate) fn pad<T: Copy>(data: &[T], shape: &[usize], before: &[usize], out: &[usize], fill: T) -> Vec<T> {
    let mut padded = vec![fill; out.iter().product()];
    let to = strides(out);
    let Some((&width, outer)) = shape.split_last() else { return data.to_vec() };
    for (row, chunk) in data.chunks_exact(width.max(1)).enumerate() {
        let (mut rest, mut start) = (row, before[outer.len()]);
        for (axis, &d) in outer.iter().enumerate().rev() {
            start += (rest % d + before[axis]) * to[axis] as usize;
            rest /= d;
        }
        padded[start..start + width].copy_from_slice(chunk);
    }
    padded
}

/// The shape of two broadcast together, or `None` where they do not fit.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y || y == 1 => Some(x),
            (1, y) => Some(y),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_move_agrees_with_a_hand_made_answer() {
        let data: Vec<usize> = (0..6).collect();
        assert_eq!(transpose(&data, &[2, 3], &[1, 0]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(slice(&data, &[2, 3], &[1, 2], &[-1, -2], &[2, 2]), [5, 3, 2, 0]);
        assert_eq!(expand(&data[..2], &[2, 1], &[2, 2, 2]), [0, 0, 1, 1, 0, 0, 1, 1]);
        assert_eq!(repeat(&data[..2], &[2], &[3]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(concat(&[(&data[..2], &[2, 1]), (&data[2..], &[2, 2])], 1), [0, 2, 3, 1, 4, 5]);
        assert_eq!(pad(&data[..4], &[2, 2], &[1, 0], &[3, 3], 9), [9, 9, 9, 0, 1, 9, 2, 3, 9]);
        assert_eq!(walk(&data, 4, &[], &[]), [4]);
        assert!(walk(&data, 0, &[0, 3], &[3, 1]).is_empty());
    }

    #[test]
    fn broadcasting_follows_onnx() {
        assert_eq!(broadcast(&[2, 1, 3], &[4, 1]), Some(vec![2, 4, 3]));
        assert_eq!(broadcast(&[], &[4]), Some(vec![4]));
        assert_eq!(broadcast(&[2], &[3]), None);
    }
}
