//! `Einsum` of two terms, as one matrix product between transposes.

use super::Reader;
use crate::build::Term;
use crate::error::CompileError;

impl Reader<'_> {
    pub(super) fn einsum(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let equation: String =
            self.node.attributes.text("equation", "")?.chars().filter(|c| !c.is_whitespace()).collect();
        let refuse = |reader: &Self| {
            reader.node.attributes.refuse(
                "equation",
                format!(
                    "{equation:?} is not a product of two terms whose letters differ, with its output given"
                ),
            )
        };
        let parts = equation.split_once("->").and_then(|(inputs, output)| {
            inputs.split_once(',').map(|(a, b)| [a, b, output].map(|part| part.chars().collect::<Vec<_>>()))
        });
        let Some([a, b, output]) = parts else { return Err(refuse(self)) };
        let simple = |letters: &[char]| {
            letters.iter().enumerate().all(|(i, c)| c.is_ascii_alphabetic() && !letters[..i].contains(c))
        };
        let (x, y) = (self.term(0)?, self.term(1)?);
        let (from_a, from_b) = (self.term_shape(&x), self.term_shape(&y));
        let known = output.iter().all(|c| a.contains(c) || b.contains(c));
        let fits = from_a.len() == a.len() && from_b.len() == b.len() && known;
        if ![&a, &b, &output].into_iter().all(|letters| simple(letters)) || !fits {
            return Err(refuse(self));
        }
        let size = |c: &char| match (a.iter().position(|d| d == c), b.iter().position(|d| d == c)) {
            (Some(i), Some(j)) => (from_a[i] == from_b[j]).then_some(from_a[i]),
            (Some(i), None) => Some(from_a[i]),
            (None, j) => j.map(|j| from_b[j]),
        };
        let sized = |letters: &[char]| letters.iter().map(size).collect::<Option<Vec<usize>>>();
        let kept = |c: &&char| output.contains(c);
        let batch: Vec<char> = a.iter().filter(|c| b.contains(c)).filter(kept).copied().collect();
        let summed: Vec<char> = a.iter().filter(|c| b.contains(c) && !output.contains(c)).copied().collect();
        let rows: Vec<char> = a.iter().filter(|c| !b.contains(c)).copied().collect();
        let columns: Vec<char> = b.iter().filter(|c| !a.contains(c)).copied().collect();
        let sizes = [&batch, &rows, &summed, &columns].map(|letters| sized(letters));
        let [Some(batch_sizes), Some(row_sizes), Some(summed_sizes), Some(column_sizes)] = sizes else {
            return Err(refuse(self));
        };
        if !rows.iter().chain(&columns).all(|c| output.contains(c)) {
            return Err(refuse(self));
        }
        let order = |of: &[char], parts: [&[char]; 3]| -> Vec<usize> {
            parts.concat().iter().filter_map(|c| of.iter().position(|d| d == c)).collect()
        };
        let product = |sizes: &[usize]| sizes.iter().product::<usize>();
        let left = self.transpose(x, order(&a, [&batch, &rows, &summed]))?;
        let matrix = [&batch_sizes[..], &[product(&row_sizes), product(&summed_sizes)]].concat();
        let left = self.reshape(left, matrix)?;
        let right = self.transpose(y, order(&b, [&batch, &summed, &columns]))?;
        let matrix = [&batch_sizes[..], &[product(&summed_sizes), product(&column_sizes)]].concat();
        let right = self.reshape(right, matrix)?;
        let made = self.product(left, right, 1.0)?;
        let split = [&batch_sizes[..], &row_sizes, &column_sizes].concat();
        let made = self.reshape(Term::Value(made), split)?;
        let letters = [&batch[..], &rows, &columns].concat();
        let made = self.transpose(made, order(&letters, [&output, &[], &[]]))?;
        self.bind(0, made);
        Ok(())
    }
}
