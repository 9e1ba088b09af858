//! The lab's way into `tools::cursor_agent::agent_store`: the module's own functions on the command line, for
//! `tests/lab/cursor/lab.py`. Not part of the product.

use session_roam_core::tools::cursor_agent::agent_store as store;
use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["read", root, id] => {
            let chat = store::find(Path::new(root), id).ok_or("no such chat")?;
            let read = store::read(&chat.store, id)?;
            if let Some(wrong) = read.problems.first().or(read.read_only.as_ref()) {
                return Err(wrong.as_str().into());
            }
            Ok(std::io::stdout().write_all(&read.document)?)
        }
        ["list", root] => {
            println!("{}", store::list(Path::new(root)).len());
            Ok(())
        }
        ["records", root, id] => {
            let chat = store::find(Path::new(root), id).ok_or("no such chat")?;
            let records = store::records(&store::read(&chat.store, id)?.document);
            for message in records.iter().filter_map(store::read_message) {
                println!("{:?}: {}", message.role, message.text());
            }
            Ok(())
        }
        ["write", root, id, cwd] => {
            let mut document = Vec::new();
            std::io::stdin().read_to_end(&mut document)?;
            let chat = store::find(Path::new(root), id);
            let target = store::Target {
                root: Path::new(root),
                id,
                cwd: Path::new(cwd),
                was: chat.as_ref().map(|chat| (chat.store.as_path(), chat.stamp)),
            };
            let (file, _) = store::write(&target, &document)?;
            println!("{}", file.display());
            Ok(())
        }
        other => Err(format!(
            "list ROOT | read ROOT ID | records ROOT ID | write ROOT ID CWD, not {other:?}"
        )
        .into()),
    }
}
