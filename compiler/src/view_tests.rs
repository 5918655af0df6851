//! Views against tensors of the same operations, moved element by element.

use proptest::prelude::*;

use super::*;

/// A tensor moved for real: its shape, and for each element where it came from.
#[derive(Debug, Clone)]
struct Moved {
    shape: Vec<usize>,
    values: Vec<usize>,
}

impl Moved {
    fn pick(&self, shape: &[usize], from: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|flat| {
            let at = from(&position(shape, flat));
            let index = at.iter().zip(&self.shape).fold(0, |index, (at, size)| index * size + at);
            self.values[index]
        });
        Self { shape: shape.to_vec(), values: values.collect() }
    }
}

fn position(shape: &[usize], mut flat: usize) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (dim, size) in shape.iter().enumerate().rev() {
        at[dim] = flat % size;
        flat /= size;
    }
    at
}

#[derive(Debug, Clone)]
enum Step {
    Transpose(u64),
    Reshape(u64),
    Slice(u64),
    Expand(usize),
    Repeat(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u64>().prop_map(Step::Transpose),
        any::<u64>().prop_map(Step::Reshape),
        any::<u64>().prop_map(Step::Slice),
        (2usize..4).prop_map(Step::Expand),
        (2usize..3).prop_map(Step::Repeat),
    ];
    prop::collection::vec(step, 1..6)
}

fn digits(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |bound| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    }
}

/// The operation done twice; `None` where the view cannot say it.
fn apply(view: &View, moved: &Moved, step: &Step) -> Option<(View, Moved)> {
    let shape = &moved.shape;
    match *step {
        Step::Transpose(seed) => {
            let mut random = digits(seed);
            let mut order: Vec<usize> = (0..shape.len()).collect();
            (1..order.len()).for_each(|i| order.swap(i, random(i + 1)));
            let wanted: Vec<usize> = order.iter().map(|&dim| shape[dim]).collect();
            let moved = moved.pick(&wanted, |at| {
                let mut from = vec![0; at.len()];
                order.iter().enumerate().for_each(|(i, &dim)| from[dim] = at[i]);
                from
            });
            Some((view.transpose(&order), moved))
        }
        Step::Reshape(seed) => {
            let mut random = digits(seed);
            let mut rest: usize = shape.iter().product();
            let mut wanted = Vec::new();
            while rest > 1 && wanted.len() < 4 {
                let divisors: Vec<usize> = (1..=rest).filter(|d| rest.is_multiple_of(*d)).collect();
                let size = divisors[random(divisors.len())];
                wanted.push(size);
                rest /= size;
            }
            wanted.push(rest);
            let view = view.reshape(&wanted)?;
            Some((view, Moved { shape: wanted, values: moved.values.clone() }))
        }
        Step::Slice(seed) => {
            let mut random = digits(seed);
            let parts: Vec<(usize, isize, usize)> = shape
                .iter()
                .map(|&size| {
                    let (start, step) = (random(size), 1 + random(2));
                    let count = 1 + random((size - start).div_ceil(step));
                    (start, step as isize, count)
                })
                .collect();
            let starts: Vec<usize> = parts.iter().map(|part| part.0).collect();
            let steps: Vec<isize> = parts.iter().map(|part| part.1).collect();
            let wanted: Vec<usize> = parts.iter().map(|part| part.2).collect();
            let view = view.slice(&starts, &steps, &wanted)?;
            let moved = moved.pick(&wanted, |at| {
                at.iter().enumerate().map(|(dim, at)| starts[dim] + at * steps[dim] as usize).collect()
            });
            Some((view, moved))
        }
        Step::Expand(times) => {
            let mut wanted = vec![times];
            wanted.extend_from_slice(shape);
            let moved = moved.pick(&wanted, |at| at[1..].to_vec());
            Some((view.expand(&wanted), moved))
        }
        Step::Repeat(times) => {
            let mut factors = vec![1; shape.len()];
            factors[0] = times;
            let mut wanted = shape.clone();
            wanted[0] *= times;
            let moved = moved.pick(&wanted, |at| {
                let mut from = at.to_vec();
                from[0] /= times;
                from
            });
            Some((view.repeat(&factors), moved))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_view_reads_what_moving_gives(
        shape in prop::collection::vec(1usize..5, 1..4), last_first in any::<bool>(), steps in steps(),
    ) {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        if last_first {
            order.reverse();
        }
        let mut view = View::ordered(&shape, &order);
        let mut moved = Moved { values: view.addresses(), shape };
        for step in &steps {
            if let Some((next, same)) = apply(&view, &moved, step) {
                (view, moved) = (next, same);
            }
            prop_assert_eq!(view.shape(), moved.shape.clone());
            prop_assert_eq!(view.addresses(), moved.values.clone(), "{:?}", step);
        }
    }
}

#[test]
fn what_a_view_cannot_say_is_refused() {
    let view = View::dense(&[4, 6]);
    assert!(view.transpose(&[1, 0]).reshape(&[24]).is_some(), "runs of a run");
    assert!(view.transpose(&[1, 0]).reshape(&[3, 8]).is_some());
    assert!(view.transpose(&[1, 0]).reshape(&[8, 3]).is_none(), "8 cuts a run of 6");
    assert!(view.slice(&[3, 0], &[-1, 1], &[4, 6]).is_none(), "no step is negative");
    let flat = view.transpose(&[1, 0]).reshape(&[24]).expect("two runs");
    assert!(flat.slice(&[4], &[1], &[8]).is_some(), "whole runs");
    assert!(flat.slice(&[1], &[1], &[8]).is_none(), "parts of runs");
}
