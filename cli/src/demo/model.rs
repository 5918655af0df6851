//! What the demonstration needs of a model: its program, inputs, what its outputs say, and a lie that matters.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;
use narrows_executor::node::Conduct;
use narrows_program::Program;

use crate::files;
use crate::lies::{self, Answer, Cheat};

/// A model that ships with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelChoice {
    /// A convolutional network that reads a handwritten digit.
    Digits,
    /// A character-level GPT that goes on with a text, token by token.
    Chargpt,
}

/// A compiled model with inputs to show.
pub struct Model {
    /// The program.
    pub program: Arc<Program>,
    /// Canonical inputs: the one that is shown, and another one.
    pub inputs: [Vec<u8>; 2],
    /// The characters behind tokens, for a model that writes.
    pub vocabulary: Vec<String>,
    /// The position of a generation at which a layer is doctored.
    pub position: Option<usize>,
}

impl Model {
    /// An output, as a person reads it.
    pub fn says(&self, output: &[u8]) -> String {
        match Answer::of(&self.program, output) {
            Answer::Tokens(tokens) if !self.vocabulary.is_empty() => format!("{:?}", self.text(&tokens)),
            answer => answer.to_string(),
        }
    }

    /// The text behind tokens; none for a token that there is not.
    pub fn text(&self, tokens: &[i64]) -> String {
        let character = |token: &i64| self.vocabulary.get(usize::try_from(*token).ok()?);
        tokens.iter().filter_map(character).map(String::as_str).collect()
    }

    /// How to lie about an input.
    pub fn lie(&self, input: usize, cheat: Cheat) -> Result<Arc<dyn Conduct>> {
        match (self.position, cheat) {
            (Some(position), Cheat::Layer) => lies::at_position(&self.program, &self.inputs[input], position),
            _ => lies::choose(&self.program, &self.inputs[input], cheat),
        }
    }
}

/// Files of a model that ships inside this program, where loaders want files.
pub struct Shipped(tempfile::TempDir);

impl Shipped {
    /// An empty folder.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// Puts bytes where a path leads to them.
    pub fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.0.path().join(name);
        files::write(&path, bytes)?;
        Ok(path)
    }
}
