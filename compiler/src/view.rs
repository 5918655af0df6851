//! Where the elements of a tensor stand in the buffer that holds them.
//!
//! A reshape, a transposition, a slice or a broadcast moves nothing here: it changes the view. A dimension may consist of
//! several runs of positions, so that dimensions which do not lie behind each other can still be read as one.

/// Positions along a dimension: so many, so far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factor {
    /// Number of positions.
    pub size: usize,
    /// Elements of the buffer from one to the next; 0 repeats one element.
    pub step: usize,
}

/// The elements of a tensor in its logical order, as addresses in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// Address of the first element.
    pub base: usize,
    /// For each dimension its factors, the slowest first; their sizes' product is the dimension's. None for length 1.
    pub dims: Vec<Vec<Factor>>,
}

impl View {
    /// A buffer in row-major order.
    pub fn dense(shape: &[usize]) -> Self {
        Self::ordered(shape, &(0..shape.len()).collect::<Vec<_>>())
    }

    /// A buffer that holds the dimensions in this order, the slowest first.
    pub fn ordered(shape: &[usize], order: &[usize]) -> Self {
        assert_eq!(shape.len(), order.len(), "an order names every dimension");
        let mut dims = vec![Vec::new(); shape.len()];
        let mut step = 1;
        for &dim in order.iter().rev() {
            if shape[dim] > 1 {
                dims[dim].push(Factor { size: shape[dim], step });
            }
            step *= shape[dim];
        }
        Self { base: 0, dims }
    }

    /// One element, as every element of a shape.
    pub fn repeated(shape: &[usize]) -> Self {
        Self { base: 0, dims: vec![Vec::new(); shape.len()] }.expand(shape)
    }

    /// The logical dimensions.
    pub fn shape(&self) -> Vec<usize> {
        self.dims.iter().map(|dim| size(dim)).collect()
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.dims.iter().map(|dim| size(dim)).product()
    }

    /// The same elements in row-major order under another shape, where factors can be cut to it.
    pub fn reshape(&self, shape: &[usize]) -> Option<Self> {
        let mut flat = merged(&self.dims.concat());
        let mut dims = Vec::with_capacity(shape.len());
        for &wanted in shape.iter().rev() {
            let (mut rest, mut own) = (wanted, Vec::new());
            while rest > 1 {
                let Factor { size, step } = flat.pop()?;
                if rest.is_multiple_of(size) {
                    own.push(Factor { size, step });
                    rest /= size;
                } else if size.is_multiple_of(rest) {
                    own.push(Factor { size: rest, step });
                    flat.push(Factor { size: size / rest, step: step * rest });
                    rest = 1;
                } else {
                    return None;
                }
            }
            own.reverse();
            dims.push(own);
        }
        dims.reverse();
        flat.is_empty().then_some(Self { base: self.base, dims })
    }

    /// Output dimension i is dimension `order[i]`.
    pub fn transpose(&self, order: &[usize]) -> Self {
        Self { base: self.base, dims: order.iter().map(|&dim| self.dims[dim].clone()).collect() }
    }

    /// For each dimension so many positions from a start on, by a step; `None` where no steps of the buffer say that.
    pub fn slice(&self, starts: &[usize], steps: &[isize], shape: &[usize]) -> Option<Self> {
        let mut view = Self { base: self.base, dims: Vec::with_capacity(shape.len()) };
        for (dim, factors) in self.dims.iter().enumerate() {
            let (start, step, count) = (starts[dim], steps[dim], shape[dim]);
            let factors = merged(factors);
            if start == 0 && step == 1 && count == size(&factors) {
                view.dims.push(factors);
            } else if count == 1 {
                view.base += address(&factors, start);
                view.dims.push(Vec::new());
            } else {
                let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
                let (first, rest) = factors.split_first()?;
                let inner = size(rest);
                let whole = step == 1 && start % inner == 0 && count % inner == 0;
                if !(whole || rest.is_empty()) {
                    return None;
                }
                view.base += start / inner * first.step;
                let mut own = vec![Factor { size: count / inner, step: first.step * step }];
                own.extend_from_slice(rest);
                view.dims.push(own.into_iter().filter(|factor| factor.size > 1).collect());
            }
        }
        Some(view)
    }

    /// Broadcast to a shape of at least as many dimensions, as ONNX broadcasts.
    pub fn expand(&self, shape: &[usize]) -> Self {
        let missing = shape.len().checked_sub(self.dims.len()).expect("a broadcast keeps every dimension");
        let own = |dim: usize| dim.checked_sub(missing).map_or(&[][..], |dim| &self.dims[dim]);
        let dims = shape.iter().enumerate().map(|(dim, &wanted)| match own(dim) {
            [] if wanted > 1 => vec![Factor { size: wanted, step: 0 }],
            factors => factors.to_vec(),
        });
        let view = Self { base: self.base, dims: dims.collect() };
        assert_eq!(view.shape(), shape, "a dimension of another length than 1 does not broadcast");
        view
    }

    /// Every position repeated so often, along each dimension.
    pub fn repeat(&self, factors: &[usize]) -> Self {
        let mut view = self.clone();
        for (dim, &times) in view.dims.iter_mut().zip(factors).filter(|(_, times)| **times > 1) {
            dim.push(Factor { size: times, step: 0 });
        }
        view
    }

    /// With dimensions of these lengths behind, along which nothing changes.
    pub fn and_repeated(&self, lengths: &[usize]) -> Self {
        let mut view = self.clone();
        view.dims.extend(lengths.iter().map(|&size| repeated(size)));
        view
    }

    /// With a dimension of this length at `at`, along which nothing changes.
    pub fn inserted(&self, at: usize, length: usize) -> Self {
        let mut view = self.clone();
        view.dims.insert(at, repeated(length));
        view
    }

    /// The step of a dimension that is one run; 0 for length 1.
    pub fn step(&self, dim: usize) -> Option<usize> {
        match merged(&self.dims[dim])[..] {
            [] => Some(0),
            [factor] => Some(factor.step),
            _ => None,
        }
    }

    /// Whether the buffer of so many elements holds exactly this tensor in row-major order.
    pub fn is_dense(&self, order: &[usize]) -> bool {
        let wanted = Self::ordered(&self.shape(), order);
        self.base == 0 && self.dims.iter().map(|d| merged(d)).eq(wanted.dims)
    }

    /// The addresses of all elements in logical row-major order.
    pub fn addresses(&self) -> Vec<usize> {
        let mut all = vec![self.base];
        for factor in merged(&self.dims.concat()) {
            all = all.iter().flat_map(|at| (0..factor.size).map(move |i| at + i * factor.step)).collect();
        }
        all
    }
}

fn repeated(size: usize) -> Vec<Factor> {
    if size > 1 { vec![Factor { size, step: 0 }] } else { Vec::new() }
}

fn size(factors: &[Factor]) -> usize {
    factors.iter().map(|factor| factor.size).product()
}

fn address(factors: &[Factor], position: usize) -> usize {
    let mut rest = position;
    let mut at = 0;
    for factor in factors.iter().rev() {
        at += rest % factor.size * factor.step;
        rest /= factor.size;
    }
    at
}

/// Neighbouring factors joined where they lie behind each other.
pub(crate) fn merged(factors: &[Factor]) -> Vec<Factor> {
    let mut out: Vec<Factor> = Vec::with_capacity(factors.len());
    for &factor in factors.iter().filter(|factor| factor.size > 1) {
        match out.last_mut() {
            Some(last) if last.step == factor.step * factor.size => {
                *last = Factor { size: last.size * factor.size, step: factor.step };
            }
            _ => out.push(factor),
        }
    }
    out
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
