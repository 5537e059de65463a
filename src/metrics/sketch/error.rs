//! How far sketches are off, measured against exact counts of deterministic populations.

use super::{STANDARD_ERROR, UserSketch};
use crate::event::actor_of;

/// The sketch of `size` people, others for each `seed`.
fn population(size: u64, seed: u64) -> UserSketch {
    (0..size).map(|n| actor_of(&format!("{seed}-{n}"))).collect()
}

/// The relative errors of `seeds` populations of a size.
fn errors(size: u64, seeds: u64) -> Vec<f64> {
    (0..seeds)
        .map(|seed| population(size, seed).count() as f64 / size as f64 - 1.0)
        .collect()
}

fn root_mean_square(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}

fn worst(errors: &[f64]) -> f64 {
    errors
        .iter()
        .fold(0.0, |worst: f64, error| worst.max(error.abs()))
}

#[test]
fn nobody_is_nobody_and_few_are_counted_one_by_one() {
    assert_eq!(population(0, 1).count(), 0);
    for size in [1, 2, 10, 100, 1_000] {
        assert_eq!(population(size, 7).count(), size);
    }
}

#[test]
fn sizes_on_either_side_of_the_dense_form_keep_the_claimed_error() {
    for (size, seeds) in [(3_000, 24), (12_000, 16), (40_000, 12), (100_000, 6)] {
        let errors = errors(size, seeds);
        // A mean of few squares varies; four standard errors is one in 16,000.
        assert!(
            root_mean_square(&errors) <= 1.5 * STANDARD_ERROR,
            "{size}: {errors:?}"
        );
        assert!(worst(&errors) <= 4.0 * STANDARD_ERROR, "{size}: {errors:?}");
    }
}

#[test]
fn hundreds_of_thousands_and_a_million_are_within_four_standard_errors() {
    for (size, seeds) in [(300_000, 2), (1_000_000, 1)] {
        let errors = errors(size, seeds);
        assert!(worst(&errors) <= 4.0 * STANDARD_ERROR, "{size}: {errors:?}");
    }
}

/// The table in the README: `cargo test --release --lib -- --ignored --nocapture the_whole_table`.
#[test]
#[ignore = "minutes: it prints the table"]
fn the_whole_table() {
    println!("persons     populations   mean     root mean square   worst");
    for (size, seeds) in [
        (100, 200),
        (1_000, 200),
        (3_000, 200),
        (10_000, 200),
        (30_000, 100),
        (100_000, 100),
        (300_000, 50),
        (1_000_000, 30),
    ] {
        let errors = errors(size, seeds);
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        println!(
            "{size:<11} {seeds:<13} {:>6.3} %  {:>6.3} %            {:>6.3} %",
            100.0 * mean,
            100.0 * root_mean_square(&errors),
            100.0 * worst(&errors)
        );
        assert!(root_mean_square(&errors) <= 1.25 * STANDARD_ERROR);
        assert!(worst(&errors) <= 4.5 * STANDARD_ERROR);
    }
}
