//! `narrows compile`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use narrows_compiler::{Graph, LayersOption, Options, Profile, Progress, Samples, Step};

use crate::engine::Native;
use crate::output::{Output, good};
use crate::{files, report};

/// `narrows compile`.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// The ONNX model.
    model: PathBuf,
    /// Sample inputs to measure ranges on: a .npy or .npz file, or a folder of them.
    #[arg(long, value_name = "SAMPLES")]
    calibrate: PathBuf,
    /// Other samples to compare on, never used for ranges; with labels (in an .npz) accuracy is reported too.
    #[arg(long, value_name = "SAMPLES")]
    test: Option<PathBuf>,
    /// Where the program is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Integer types: fast (8-bit), standard (8-bit weights, 16-bit activations), exact (16-bit).
    #[arg(long, default_value = "fast", value_parser = profile)]
    profile: Profile,
    /// Folds of more terms than this are disputed segment by segment.
    #[arg(long, default_value_t = 1024)]
    split: u32,
    /// Where operators are cut into layers: auto (so as to hash the fewest bytes), node, block, or a number of operators from 1
    /// to 32.
    #[arg(long, default_value = "auto")]
    layers: LayersOption,
    /// Levels of a tree that one reveal covers, 1 to 6.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=6))]
    reveal_bits: u8,
}

fn profile(name: &str) -> Result<Profile, String> {
    Profile::from_name(name).ok_or_else(|| "give fast, standard or exact".into())
}

/// A progress bar on standard error, hidden where there is no terminal.
struct Bar(Option<(Step, ProgressBar)>);

impl Bar {
    fn show(&mut self, progress: Progress) {
        if self.0.as_ref().is_none_or(|(step, _)| *step != progress.step) {
            self.finish();
            let bar = ProgressBar::new(progress.total as u64);
            let style = ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len} {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(match progress.step {
                Step::Calibrating => "calibrating",
                Step::Comparing => "comparing",
                Step::Testing => "testing",
            });
            self.0 = Some((progress.step, bar));
        }
        if let Some((_, bar)) = &self.0 {
            bar.set_position(progress.done as u64);
        }
    }

    fn finish(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

/// Compiles, reports, writes.
pub fn run(args: &CompileArgs, out: Output) -> Result<()> {
    let graph = Graph::load(&args.model, &Default::default())?;
    let shape = graph.value(graph.input).shape.clone();
    let calibration = Samples::load(&args.calibrate, &shape)?;
    let test = args.test.as_deref().map(|path| Samples::load(path, &shape)).transpose()?;
    let options = Options {
        profile: args.profile,
        split: args.split,
        reveal_bits: args.reveal_bits,
        layers: args.layers,
        ..Options::default()
    };
    let mut bar = Bar(None);
    let compiled = narrows_compiler::compile(&graph, &calibration, &options, &mut |p| bar.show(p))?;
    let fidelity = compiled.report(&calibration, test.as_ref(), &Native, &mut |p| bar.show(p))?;
    bar.finish();
    files::write(&args.output, &compiled.program().encode())?;
    report::show(out, &fidelity);
    out.line(format_args!("  {} {}", good("written:"), args.output.display()));
    Ok(())
}
