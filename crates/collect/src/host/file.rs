//! Kernel files, read whole into a buffer that is used again.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::fields::Parsed;
use crate::CollectError;

/// The most that is read of one file: `/proc/stat` of a machine with a thousand cores has less than a megabyte.
const SIZE_MAX: u64 = 8 << 20;

/// A file of /proc or /sys.
#[derive(Debug)]
pub(crate) struct KernelFile {
    path: PathBuf,
    is_optional: bool,
    bytes: Vec<u8>,
}

impl KernelFile {
    /// A file that every kernel has: without it, /proc is not where it should be.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            is_optional: false,
            bytes: Vec::new(),
        }
    }

    /// A file that depends on how the kernel was built and started.
    pub(crate) fn optional(path: PathBuf) -> Self {
        Self {
            is_optional: true,
            ..Self::new(path)
        }
    }

    /// Reads the file and parses it. Beside the value stands whether all of it was understood.
    ///
    /// Errors: the file cannot be read, or is optional and absent ([`CollectError::NoData`]).
    pub(crate) fn parse<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Result<(T, Result<(), CollectError>), CollectError> {
        self.bytes.clear();
        read(&self.path, &mut self.bytes).map_err(|source| self.read_error(source))?;
        // Mount points may be any bytes; labels may not.
        let text = String::from_utf8_lossy(&self.bytes);
        let Parsed { value, problems } = parse(&text);
        let outcome = match problems.first {
            None => Ok(()),
            Some(first) => Err(CollectError::Malformed {
                path: self.path.clone(),
                first,
                more: problems.count - 1,
            }),
        };
        Ok((value, outcome))
    }

    fn read_error(&self, source: io::Error) -> CollectError {
        let path = self.path.clone();
        if self.is_optional && is_absent(&source) {
            CollectError::NoData { path }
        } else {
            CollectError::Read { path, source }
        }
    }
}

/// The trimmed content of a small file; none if it is absent or cannot be read.
pub(crate) fn read_value(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    read(path, &mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.trim_ascii().to_owned())
}

/// Whether the kernel lacks the file, or has it but was told at its start not to serve it.
fn is_absent(error: &io::Error) -> bool {
    let unsupported = rustix::io::Errno::OPNOTSUPP.raw_os_error();
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(unsupported)
}

fn read(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    let read = File::open(path)?.take(SIZE_MAX + 1).read_to_end(bytes)?;
    if read as u64 > SIZE_MAX {
        return Err(io::Error::other(format!("longer than {SIZE_MAX} bytes")));
    }
    Ok(())
}
