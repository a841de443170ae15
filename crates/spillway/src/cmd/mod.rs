//! One file per command. A new one is a file with `Args` and `run`, its `mod` line and its line in the list.

use crate::cli::Context;

pub mod absorb;
pub mod allow;
mod asked;
pub mod attack;
pub mod audit;
pub mod backtest;
pub mod backup;
pub mod campaign;
pub mod capture;
pub mod check;
pub mod completions;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod decode;
pub mod demo;
pub mod disclosure;
pub mod dns;
pub mod doctor;
pub mod dossier;
pub mod drill;
pub mod evidence;
pub mod exception;
pub mod explain;
pub mod exporter;
pub mod flows;
pub mod guard;
pub mod import;
pub mod init;
pub mod intel;
pub mod lab;
pub mod ledger;
pub mod man;
pub mod manual;
pub mod metrics;
pub mod mode;
pub mod notify;
pub mod panic;
pub mod plan;
mod policy;
mod preview;
pub mod privacy;
pub mod privileged;
pub mod replay;
pub mod restore;
pub mod roles;
pub mod route;
pub mod rule;
pub mod rules;
pub mod run;
pub mod simulate;
pub mod status;
pub mod support;
pub mod target;
pub mod token;
pub mod top;
pub mod user;
pub mod version;

macro_rules! commands {
    ($($name:ident => $module:ident,)*) => {
        /// What `spillway` can do.
        #[derive(Debug, clap::Subcommand)]
        #[expect(missing_docs, reason = "each command is described by the comment on its `Args`")]
        pub enum Command {
            $($name($module::Args),)*
        }

        impl Command {
            /// Whether it can print objects, so that `-o csv` and `-o table` have rows to lay out.
            pub const fn has_rows(&self) -> bool {
                !matches!(
                    self,
                    Self::Run(_)
                        | Self::Absorb(_)
                        | Self::Check(_)
                        | Self::Init(_)
                        | Self::Import(_)
                        | Self::Control(_)
                        | Self::Demo(_)
                        | Self::Simulate(_)
                        | Self::Completions(_)
                        | Self::Man(_)
                        | Self::Guard(_)
                        | Self::Helper(_)
                )
            }

            /// Does it.
            pub fn run(self, context: &Context) -> anyhow::Result<()> {
                match self {
                    $(Self::$name(args) => $module::run(args, context),)*
                }
            }
        }
    };
}

// In the order of `--help`; the text of each is the doc comment on its `Args`.
commands! {
    Decode => decode,
    Replay => replay,
    Backtest => backtest,
    Simulate => simulate,
    Explain => explain,
    Dossier => dossier,
    Campaign => campaign,
    Intel => intel,
    Flows => flows,
    Evidence => evidence,
    Rules => rules,
    Dataplane => dataplane,
    Capture => capture,
    Run => run,
    Absorb => absorb,
    Status => status,
    Top => top,
    Metrics => metrics,
    Attack => attack,
    Exporter => exporter,
    Doctor => doctor,
    Check => check,
    Init => init,
    Config => config,
    Import => import,
    Control => control,
    Mode => mode,
    Panic => panic,
    Target => target,
    Allow => allow,
    Rule => rule,
    Exception => exception,
    Route => route,
    Plan => plan,
    Drill => drill,
    Dns => dns,
    Ledger => ledger,
    Disclosure => disclosure,
    User => user,
    Token => token,
    Roles => roles,
    Audit => audit,
    Notify => notify,
    Privacy => privacy,
    Backup => backup,
    Restore => restore,
    Demo => demo,
    Lab => lab,
    Support => support,
    Manual => manual,
    Version => version,
    Completions => completions,
    Man => man,
    Guard => guard,
    Helper => privileged,
}
