//! How a server of the Model Context Protocol gets into a tool's configuration: by the tool's own command, or as
//! a member of a JSON document. Knows no tool and writes nothing.

/// A tool's way to take in a server that speaks the protocol on stdin and stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpConfig {
    /// The tool's own commands, program first. The server's name and, after `--`, its command line follow `add`;
    /// its name follows `remove`.
    Command {
        add: &'static [&'static str],
        remove: &'static [&'static str],
    },
    /// A JSON document, below the user's home directory and `/`-separated. Its outermost field `servers` is an object
    /// with one member for each server: `command`, a string, and `args`, strings.
    Json {
        file: &'static str,
        servers: &'static str,
    },
}
