//! Messages for the operator: `log::info!("{count} pages")`.
//!
//! They go to the host's log of the batch, and the last ones to the dead letter of a row that
//! failed. The host bounds them; natively they go to stderr.

use std::fmt;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error = 1,
    /// Something is odd.
    Warn = 2,
    /// Worth knowing.
    Info = 3,
    /// For the author.
    Debug = 4,
    /// For the author, and a lot of it.
    Trace = 5,
}

/// Writes one message; the macros call it.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    #[cfg(target_family = "wasm")]
    crate::wasm::log(level as u32, message);
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{level:?}: {message}");
}

// rustfmt indents the inner macro further every time it sees it.
#[rustfmt::skip]
macro_rules! level {
    ($dollar:tt, $name:ident, $hidden:ident, $level:ident, $doc:literal) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $hidden {
            ($dollar($dollar argument:tt)*) => {
                $crate::log::write(
                    $crate::log::Level::$level,
                    ::std::format_args!($dollar($dollar argument)*),
                )
            };
        }
        #[doc = $doc]
        #[doc(inline)]
        pub use $hidden as $name;
    };
}

level!($, error, __log_error, Error, "Logs at [`Level::Error`], like `format!`.");
level!($, warn, __log_warn, Warn, "Logs at [`Level::Warn`], like `format!`.");
level!($, info, __log_info, Info, "Logs at [`Level::Info`], like `format!`.");
level!($, debug, __log_debug, Debug, "Logs at [`Level::Debug`], like `format!`.");
level!($, trace, __log_trace, Trace, "Logs at [`Level::Trace`], like `format!`.");
