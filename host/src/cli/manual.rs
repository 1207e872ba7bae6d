//! `quarry completions` and `quarry man`.

use super::options::GlobalOptions;
use super::{Arguments as All, DONE, Done, printer};
use crate::error::{Code, Context};
use clap::{Args, CommandFactory};
use std::path::PathBuf;

/// Prints what a shell needs to complete commands
#[derive(Args)]
#[command(before_help = "Example: quarry completions bash > /etc/bash_completion.d/quarry")]
pub(super) struct Completions {
    shell: clap_complete::Shell,
}

/// Prints the manual page, or writes those of all commands
#[derive(Args)]
#[command(before_help = "Example: quarry man --out /usr/local/share/man/man1")]
pub(super) struct Pages {
    /// Folder for the pages of all commands
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(arguments: &Completions) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut All::command(), "quarry", &mut script);
    printer::text(String::from_utf8_lossy(&script).trim_end());
    Ok(DONE)
}

pub(super) fn pages(options: &GlobalOptions, arguments: &Pages) -> Done {
    let Some(folder) = &arguments.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(All::command())
            .render(&mut page)
            .context(Code::Internal, || "can not make the manual page".to_string())?;
        printer::text(String::from_utf8_lossy(&page).trim_end());
        return Ok(DONE);
    };
    let named = || format!("can not write manual pages to {}", folder.display());
    std::fs::create_dir_all(folder).context(Code::Unavailable, named)?;
    clap_mangen::generate_to(All::command(), folder).context(Code::Unavailable, named)?;
    printer::note(options, &format!("manual pages in {}", folder.display()));
    Ok(DONE)
}
