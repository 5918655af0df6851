//! `narrows compile`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use narrows_commitment::keccak;
use narrows_compiler::{
    Generation, Graph, LayersOption, ModelOptions, Options, Overrides, Profile, Progress, Sampler, Samples,
    Step,
};
use narrows_program::BoundFile;

use crate::engine::Native;
use crate::output::{Output, good};
use crate::{files, report};

/// `narrows compile`.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// The ONNX model.
    model: PathBuf,
    /// The whole shape of the model's input (tokens=1x128), or the size of one of its symbolic dimensions (length=128);
    /// may be given several times.
    #[arg(long, value_name = "NAME=SIZES")]
    shape: Vec<String>,
    /// Fills one of several inputs with a number (attention_mask=1), so that one input is left; may be given several times.
    #[arg(long, value_name = "NAME=NUMBER")]
    fix: Vec<String>,
    /// Which output to compile, where the model has several.
    #[arg(long, value_name = "NAME")]
    model_output: Option<String>,
    /// Repeats the model, one step of a decoder with its cache, into a program that reads a prompt of up to so many tokens and
    /// generates so many more (16+64). Its input is the prompt, filled with -1, and the seed's two halves with --temperature.
    #[arg(long, value_name = "PROMPT+TOKENS", value_parser = generation)]
    generate: Option<(usize, usize)>,
    /// Draws tokens at this temperature from a seed, instead of taking the likeliest.
    #[arg(long, requires = "generate", value_name = "T")]
    temperature: Option<f32>,
    /// Sample inputs to measure ranges on: a .npy or .npz file, or a folder of them.
    #[arg(long, value_name = "SAMPLES")]
    calibrate: PathBuf,
    /// Other samples to compare on, never used for ranges; with labels (in an .npz) accuracy is reported too.
    #[arg(long, value_name = "SAMPLES")]
    test: Option<PathBuf>,
    /// Where the program is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Integer types: fast (8-bit, for convolutional networks), standard (8-bit weights, 16-bit activations, for
    /// transformers), exact (16-bit); chosen by the model's operators unless given.
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
    /// A JSON file that sets the type (i8, i16, i32), margin or range of single nodes' outputs, by node name:
    /// {"node": {"dtype": "i16", "margin": 2.0, "range": 40.0}}.
    #[arg(long = "override", value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// A file that belongs to the model (a tokenizer, a description of its pre-processing): its hash becomes part of the
    /// program's root; may be given several times.
    #[arg(long, value_name = "FILE")]
    bind: Vec<PathBuf>,
    /// Draws each operator's signal-to-noise ratio and range as an SVG picture.
    #[arg(long, value_name = "SVG")]
    explain: Option<PathBuf>,
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

fn bound(path: &Path) -> Result<BoundFile> {
    let name = path.file_name().context("give a file with a name")?.to_string_lossy().into_owned();
    Ok(BoundFile { name, hash: keccak(&files::read(path)?) })
}

fn generation(text: &str) -> Result<(usize, usize), String> {
    let parts =
        text.split_once('+').and_then(|(prompt, tokens)| Some((prompt.parse().ok()?, tokens.parse().ok()?)));
    parts.ok_or_else(|| "give two numbers of tokens, as in 16+64".into())
}

fn sampler(temperature: Option<f32>) -> Result<Sampler> {
    let Some(temperature) = temperature else { return Ok(Sampler::Greedy) };
    ensure!(
        (0.01..=100.0).contains(&temperature),
        "a temperature of {temperature}: give one from 0.01 to 100"
    );
    Ok(Sampler::Seeded { temperature })
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
    let mut source = ModelOptions { output: args.model_output.clone(), ..Default::default() };
    args.shape.iter().try_for_each(|shape| source.pin(shape))?;
    if let Some((prompt, tokens)) = args.generate {
        source.generation = Some(Generation { prompt, tokens, sampler: sampler(args.temperature)? });
    }
    args.fix.iter().try_for_each(|input| source.fix(input))?;
    let graph = Graph::load(&args.model, &source)?;
    let shape = graph.value(graph.input).shape.clone();
    let calibration = Samples::load(&args.calibrate, &shape)?;
    let test = args.test.as_deref().map(|path| Samples::load(path, &shape)).transpose()?;
    let overrides = args.overrides.as_deref().map(Overrides::load).transpose()?.unwrap_or_default();
    let options = Options {
        profile: args.profile,
        overrides,
        split: args.split,
        reveal_bits: args.reveal_bits,
        layers: args.layers,
        bound: args.bind.iter().map(|path| bound(path)).collect::<Result<_>>()?,
        ..Options::default()
    };
    let mut bar = Bar(None);
    let compiled = narrows_compiler::compile(&graph, &calibration, &options, &mut |p| bar.show(p))?;
    let fidelity = compiled.report(&calibration, test.as_ref(), &Native, &mut |p| bar.show(p))?;
    bar.finish();
    files::write(&args.output, &compiled.program().encode())?;
    report::show(out, &fidelity);
    if let Some(picture) = &args.explain {
        files::write(picture, fidelity.to_svg().as_bytes())?;
        out.line(format_args!("  {} {}", good("drawn:"), picture.display()));
    }
    out.line(format_args!("  {} {}", good("written:"), args.output.display()));
    Ok(())
}
