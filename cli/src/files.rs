//! Reading what people hand in, and writing without leaving halves behind.

mod map;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use narrows_bisection::Parameters;
use narrows_program::{Bytes, DType, Program};

pub use map::Mapped;

/// The most bytes that any command reads of a file.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// Opens a file, no folder and not too large.
fn open(path: &Path) -> Result<fs::File> {
    let name = path.display();
    let file = fs::File::open(path).with_context(|| format!("{name}: cannot be read; check the path"))?;
    let length = file.metadata().with_context(|| format!("{name}: cannot be read"))?;
    ensure!(length.is_file(), "{name}: is a folder; give a file");
    ensure!(
        length.len() <= MAX_FILE_BYTES,
        "{name}: is larger than {MAX_FILE_BYTES} bytes; give a smaller file"
    );
    Ok(file)
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).with_context(|| format!("{}: cannot be read", path.display()))?;
    Ok(bytes)
}

/// Writes a whole file, or nothing: to a temporary name beside it, then renamed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.display();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("{name}: cannot be written; check that the folder exists and has room");
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // As any program's files: what the user's umask leaves of it.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

/// Loads a program file into memory.
pub fn program(path: &Path) -> Result<Program> {
    Program::open(&Bytes::from(read(path)?)).with_context(|| format!("{}", path.display()))
}

/// Loads a game's parameters, or the embedded chain's when there is no file, and checks them.
pub fn parameters(path: Option<&Path>) -> Result<Parameters> {
    let Some(path) = path else { return Ok(Parameters::default()) };
    let name = path.display();
    let parameters: Parameters = serde_json::from_slice(&read(path)?).with_context(|| {
        format!("{name}: holds no parameters; name all of PROTOCOL 2's, amounts as texts of wei")
    })?;
    parameters.check().with_context(|| format!("{name}"))?;
    Ok(parameters)
}

/// Loads an input for `program`: a .npy of real numbers in the source model's shape (quantised by the program's input scale), of
/// integers of the canonical type, or canonical bytes (`.bin`).
pub fn input(program: &Program, path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    if path.extension().is_some_and(|e| e == "bin") {
        let bytes = read(path)?;
        let expected = program.header().input.bytes();
        ensure!(
            bytes.len() as u64 == expected,
            "{name}: has {} bytes, the program reads {expected}",
            bytes.len()
        );
        return Ok(bytes);
    }
    let shape: Vec<usize> = program.meta().input.shape.iter().map(|d| *d as usize).collect();
    let samples = narrows_compiler::Samples::load(path, &shape)?;
    match samples.inputs.as_slice() {
        [sample] => Ok(narrows_compiler::encode_input(program, sample)?),
        all => bail!("{name}: holds {} inputs; give a file with one", all.len()),
    }
}

/// The integers of a tensor's canonical bytes.
pub fn integers(dtype: DType, bytes: &[u8]) -> Vec<i64> {
    (0..).map_while(|index| dtype.read(bytes, index)).collect()
}
