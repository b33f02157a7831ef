//! How the C library's allocator shares out memory among threads: in few arenas.
//!
//! By default each thread that allocates gets an arena of its own, up to eight for each processor, and what is freed there
//! is used again there alone. Large questions run now on this thread and now on that, and in the end each arena holds as much as
//! the largest of them needed: with a million series and eight clients the process took 912 MiB where 242 were in use; with
//! two arenas its peak was 469, with one 416. Few arenas cost little, since small pieces are cached for each thread anyway.

use std::env;

/// How many arenas the C library (glibc) uses; it reads this once, before the program begins.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// With two, one who waits for the first goes on in the second.
const ARENAS_MAX: &str = "2";

/// Starts the program anew in the same process with few arenas, unless someone has said how many. Where that fails, or has
/// no meaning, it goes on as it is.
pub(crate) fn bound_arenas() {
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) || env::var_os(ARENAS).is_some() {
        return;
    }
    start_anew();
}

#[cfg(unix)]
fn start_anew() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let Ok(program) = env::current_exe() else {
        return;
    };
    let mut command = Command::new(program);
    let mut arguments = env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It only returns if it failed.
    let _ = command.args(arguments).env(ARENAS, ARENAS_MAX).exec();
}

#[cfg(not(unix))]
fn start_anew() {}
