//! `footfall dead-letters`: rows that ClickHouse refused, for whoever runs the installation.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{Rooms, attach};
use crate::api::letters::{DeadLetter, WholeDeadLetter};
use crate::config::Config;
use crate::event::ProjectNumber;
use crate::stream::letters::{Admission, LetterId, Replayed};

/// Letters that are read at a time.
const PAGE: usize = 500;

/// What to do with dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum LettersCommand {
    /// List them, the latest first, one JSON object a line.
    List(ListArgs),
    /// Show one with its whole event, as JSON.
    Show(ShowArgs),
    /// Put them back into the stream, to be stored with the next batch. Asked twice, a letter is stored once.
    Replay(ChosenArgs),
    /// Give them up for good.
    Discard(ChosenArgs),
}

/// Which letters to list.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    config: Config,

    /// Only of this project.
    #[arg(long)]
    project: Option<Uuid>,

    /// Letters at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Which letter to show.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    config: Config,

    /// The letter's id, as `list` prints it.
    #[arg(value_parser = letter_id)]
    id: LetterId,
}

/// Which letters to replay or discard.
#[derive(Clone, Debug, Args)]
pub struct ChosenArgs {
    #[command(flatten)]
    config: Config,

    /// Ids, as `list` prints them.
    #[arg(value_parser = letter_id, required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<LetterId>,

    /// Every letter that is there now.
    #[arg(long)]
    all: bool,

    /// With --all: only of this project.
    #[arg(long, requires = "all")]
    project: Option<Uuid>,
}

fn letter_id(text: &str) -> Result<LetterId, String> {
    text.parse()
        .map_err(|()| "write it as <shard>-<milliseconds>-<number>".to_owned())
}

impl LettersCommand {
    /// The settings.
    pub fn config(&self) -> &Config {
        match self {
            LettersCommand::List(args) => &args.config,
            LettersCommand::Show(args) => &args.config,
            LettersCommand::Replay(args) | LettersCommand::Discard(args) => &args.config,
        }
    }
}

/// Does it, on an installation that may run meanwhile. Fails where a letter that was named is not there.
pub async fn run(command: &LettersCommand) -> anyhow::Result<ExitCode> {
    let (engines, rooms) = attach(command.config()).await?;
    let done = carry_out(command, &rooms).await;
    rooms.meta.close().await;
    drop(rooms);
    engines.stop().await;
    done
}

async fn carry_out(command: &LettersCommand, rooms: &Rooms) -> anyhow::Result<ExitCode> {
    match command {
        LettersCommand::List(args) => {
            let mut left = args.limit;
            for project in projects(rooms, args.project).await? {
                left -= print(rooms, project, left).await?;
            }
            Ok(ExitCode::SUCCESS)
        }
        LettersCommand::Show(args) => {
            let Some(letter) = rooms.stream.letter(args.id).await? else {
                eprintln!("{}: no such dead letter", args.id);
                return Ok(ExitCode::FAILURE);
            };
            println!(
                "{}",
                serde_json::to_string_pretty(&WholeDeadLetter::from(letter))?
            );
            Ok(ExitCode::SUCCESS)
        }
        LettersCommand::Replay(args) => each(rooms, args, "replayed", replay).await,
        LettersCommand::Discard(args) => each(rooms, args, "discarded", discard).await,
    }
}

/// Prints up to `most` letters of the project; how many there were.
async fn print(rooms: &Rooms, project: ProjectNumber, most: usize) -> anyhow::Result<usize> {
    let (mut printed, mut before) = (0, None);
    while printed < most {
        let page = rooms
            .stream
            .letters(project, before, PAGE.min(most - printed))
            .await?;
        for letter in &page.letters {
            println!("{}", serde_json::to_string(&DeadLetter::from(letter))?);
        }
        printed += page.letters.len();
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(printed)
}

/// The project that was named, else all of them.
async fn projects(rooms: &Rooms, named: Option<Uuid>) -> anyhow::Result<Vec<ProjectNumber>> {
    match named {
        Some(id) => {
            let found = rooms.meta.project(id).await?;
            Ok(vec![
                found.with_context(|| format!("there is no project {id}"))?.number,
            ])
        }
        None => {
            let all = rooms.meta.project_zones().await?;
            Ok(all.into_iter().map(|(project, _)| project).collect())
        }
    }
}

/// Does one thing to every chosen letter and says to how many.
async fn each(
    rooms: &Rooms,
    args: &ChosenArgs,
    word: &str,
    act: impl AsyncFn(&Rooms, ProjectNumber, LetterId) -> anyhow::Result<bool>,
) -> anyhow::Result<ExitCode> {
    let (mut done, mut missing) = (0_u64, false);
    for &id in &args.ids {
        let letter = rooms.stream.letter(id).await?;
        match letter {
            Some(letter) if act(rooms, letter.event.project, id).await? => done += 1,
            _ => {
                eprintln!("{id}: no such dead letter");
                missing = true;
            }
        }
    }
    if args.all {
        for project in projects(rooms, args.project).await? {
            let mut before = None;
            loop {
                let page = rooms.stream.letters(project, before, PAGE).await?;
                for letter in &page.letters {
                    done += u64::from(act(rooms, project, letter.id).await?);
                }
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
        }
    }
    println!("{done} {word}");
    Ok(if missing {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn replay(rooms: &Rooms, project: ProjectNumber, id: LetterId) -> anyhow::Result<bool> {
    let known = rooms.meta.tombstones_of(project).await?;
    let admission = Admission {
        version: known.version,
        keeps: &|event| known.keeps(event),
    };
    match rooms.stream.replay(project, id, &admission).await? {
        Replayed::Queued => Ok(true),
        Replayed::Gone | Replayed::Erased => Ok(false),
        Replayed::Behind => anyhow::bail!("something is being erased: try again in a moment"),
    }
}

async fn discard(rooms: &Rooms, project: ProjectNumber, id: LetterId) -> anyhow::Result<bool> {
    Ok(rooms.stream.discard(project, id).await?)
}
