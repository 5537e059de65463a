//! What is printed.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Wall and CPU time of one way to answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
}

/// Progress on stderr.
pub fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.with_message(what)
}

/// Milliseconds with a digit or two.
pub fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

/// A line of the table: ours beside theirs.
pub fn beside(name: &str, ours: Cost, theirs: Cost) {
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
    println!(
        "{name:<44} {:>10} {:>10} {:>10} {:>10} {:>7.2} {:>7.2}",
        ms(ours.wall),
        ms(theirs.wall),
        ms(ours.cpu),
        ms(theirs.cpu),
        ratio(ours.wall, theirs.wall),
        ratio(ours.cpu, theirs.cpu)
    );
}

/// The head of that table.
pub fn head() {
    println!(
        "\n{:<44} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7}",
        "computed each time", "wall", "SQL wall", "CPU", "SQL CPU", "wall x", "CPU x"
    );
}

/// A line of one figure.
pub fn line(name: &str, figure: &str) {
    println!("{name:<60} {figure}");
}
