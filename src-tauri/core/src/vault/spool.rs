//! A text of any size that is made piece by piece and read back, in a file without a name. It lies
//! in the vault's directory: a directory of temporary files may be memory, and others may read it.

use super::Vault;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

pub struct Spool(BufWriter<File>);

impl Spool {
    pub fn in_vault(vault: &Vault) -> io::Result<Self> {
        let file = tempfile::tempfile_in(vault.root())?;
        Ok(Self(BufWriter::with_capacity(1 << 20, file)))
    }

    /// The text, from its beginning.
    pub fn read(self) -> io::Result<File> {
        let mut file = self
            .0
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
