//! Structured logs: text for people on standard error, or one JSON object a line on standard output.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What chooses the levels, as `warn` or `narrows=debug,info`.
const VARIABLE: &str = "NARROWS_LOG";

/// Begins to log, once in a process; `least` is what is logged unless `NARROWS_LOG` says otherwise.
pub fn begin(json: bool, least: LevelFilter) {
    let filter =
        EnvFilter::builder().with_default_directive(least.into()).with_env_var(VARIABLE).from_env_lossy();
    let begun = if json {
        let layer = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false);
        layer.with_env_filter(filter).with_writer(std::io::stdout).try_init()
    } else {
        let ansi = console::colors_enabled_stderr();
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(ansi)
            .with_writer(std::io::stderr)
            .try_init()
    };
    // Somebody logs already: that is what was asked for.
    drop(begun);
}
