//! Pictures where a person would rather look than read.

/// Draws a grey image, row by row, two characters a pixel; `pixels` are 0 to 255.
pub fn grey(pixels: &[u8], width: usize) -> Vec<String> {
    const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    let shade = |pixel: &u8| SHADES[usize::from(*pixel) * SHADES.len() / 256];
    pixels.chunks(width.max(1)).map(|row| row.iter().map(shade).collect()).collect()
}

/// A bar of at most `width` characters for `value` of `greatest`.
pub fn bar(value: i64, least: i64, greatest: i64, width: usize) -> String {
    let span = (greatest - least).max(1);
    let filled = ((value - least) * width as i64 / span).clamp(0, width as i64);
    "█".repeat(filled as usize)
}
