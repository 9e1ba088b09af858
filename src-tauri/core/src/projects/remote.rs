//! Git remotes as text: reduces the many spellings of one remote to `host/owner/repo`. Touches no
//! disk and no network.
//!
//! The path is in lower case, too: hosts with accounts (GitHub, GitLab, Gitea, Bitbucket, Azure, also
//! on a company's own domain) find a repository in any case, so people write it in any. Where a plain
//! SSH server has two repositories that differ in capitals alone, the user maps them.

use crate::session::composed;
use std::net::Ipv6Addr;

/// Normalises a remote's URL to `host/owner/repo`, lower case, without scheme, user, password, port
/// and `.git`.
///
/// `None` if the URL means something else on another device: files, local paths, this machine,
/// Git's helpers other than CodeCommit's. Nested groups stay whole, and so does every dash: `a/b-c` and `a-b/c` differ.
pub fn normalise(url: &str) -> Option<String> {
    let url = url.trim();
    if let Some(address) = url.strip_prefix("codecommit::") {
        return code_commit(address);
    }
    let (authority, path) = match url.split_once("://") {
        Some((scheme, rest)) if is_network(scheme) => rest.split_once('/')?,
        Some(_) => return None,
        None => scp_like(url)?,
    };
    let host = host(authority)?;
    let path = composed(percent_decode(path).to_lowercase());
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let host = well_known(&host, &mut parts);
    if parts.is_empty() || parts.contains(&"..") || path.contains(['\\', '\0', '\n']) {
        return None;
    }
    // `#` begins the directory inside a project key.
    Some(format!("{host}/{}", parts.join("/")).replace('#', "%23"))
}

/// The repository's own name in an address of any kind, in lower case and without `.git`: all that a path
/// or an address of one machine says of the repository elsewhere.
pub fn repository_in(url: &str) -> Option<String> {
    let url = composed(url.trim().to_lowercase());
    let url = url.trim_end_matches(['/', '\\']);
    let url = url.strip_suffix("/.git").unwrap_or(url);
    let url = url.strip_suffix(".git").unwrap_or(url);
    let name = url.rsplit(['/', '\\', ':']).next()?;
    (!matches!(name, "" | "." | "..")).then(|| name.to_owned())
}

/// The remote that a user typed in a key: as a key has it, or as a URL in any spelling.
pub fn typed(text: &str) -> Option<String> {
    let (authority, path) = text.split_once('/').unwrap_or((text, ""));
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let in_brackets = authority
        .strip_prefix('[')
        .and_then(|text| text.split_once(']'));
    match authority.split_once(':') {
        _ if text.contains("://") => normalise(text),
        // A key has no brackets around an address.
        Some(_) if is_address(authority) => normalise(&format!("https://[{authority}]/{path}")),
        Some(_) if in_brackets.is_some_and(|(address, _)| is_address(address)) => {
            normalise(&format!("https://{text}"))
        }
        Some((_, after)) if !is_port(after) => normalise(text),
        _ => normalise(&format!("https://{text}")),
    }
}

fn is_network(scheme: &str) -> bool {
    const KNOWN: [&str; 10] = [
        "https",
        "http",
        "ssh",
        "git",
        "git+ssh",
        "ssh+git",
        "git+https",
        "git+http",
        "ftp",
        "ftps",
    ];
    KNOWN.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// `user@host:path`. As in Git, a `/` before the first `:` or a drive letter makes it a local path.
fn scp_like(url: &str) -> Option<(&str, &str)> {
    if let Some(bracket) = url.find('[')
        && (bracket == 0 || url[..bracket].ends_with('@'))
    {
        let (_, rest) = url.split_at(bracket + 1);
        let (inside, path) = rest.split_once("]:")?;
        // `[user@host:port]:path`; an IPv6 address has more than one colon and keeps its brackets.
        let is_ipv6 = inside.matches(':').count() > 1;
        return Some((
            if is_ipv6 {
                &url[..bracket + inside.len() + 2]
            } else {
                inside
            },
            path,
        ));
    }
    let (authority, path) = url.split_once(':')?;
    let is_local = authority.len() < 2 || authority.contains(['/', '\\']) || path.starts_with(':');
    (!is_local).then_some((authority, path))
}

/// The host of `user:password@host:port`, unless it is this machine.
fn host(authority: &str) -> Option<String> {
    let host_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_credentials, rest)| rest);
    if let Some(ipv6) = host_port.strip_prefix('[') {
        return ipv6_host(ipv6.split_once(']')?.0);
    }
    let host = host_port
        .split_once(':')
        .map_or(host_port, |(host, _port)| host);
    let host = host.trim_end_matches('.').to_lowercase();
    let is_here = host == "localhost" || host == "0.0.0.0" || host.starts_with("127.");
    let is_odd = host.is_empty()
        || host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '\\' | '#'));
    (!is_here && !is_odd).then_some(host)
}

/// An address in its one canonical spelling. One with a zone is valid on one machine's network only.
fn ipv6_host(text: &str) -> Option<String> {
    let address: Ipv6Addr = text.parse().ok()?;
    let plain = address.to_ipv4_mapped();
    let is_here = address.is_loopback()
        || address.is_unspecified()
        || plain.is_some_and(|plain| plain.is_loopback() || plain.is_unspecified());
    (!is_here).then(|| address.to_string())
}

/// `REGION://[PROFILE@]REPOSITORY` of AWS' helper git-remote-codecommit, as the same repository's
/// address over HTTPS and SSH (README of the helper, read 2026-12). Without a region it depends on
/// the device's settings.
fn code_commit(address: &str) -> Option<String> {
    let (region, repository) = address.split_once("://")?;
    let (_profile, repository) = repository.split_once('@').unwrap_or(("", repository));
    let is_name = !repository.is_empty() && !repository.contains('/');
    let url = format!("https://git-codecommit.{region}.amazonaws.com/v1/repos/{repository}");
    (is_name && !region.is_empty()).then(|| normalise(&url))?
}

/// Hosts with two names, or with two spellings of one repository, according to their own
/// documentation (read 2026-11): GitHub, GitLab and Bitbucket over SSH on port 443, Azure DevOps'
/// `_git` and `v3`, and its former domain, which has the organisation in the host
/// (`ORG.visualstudio.com`, with an optional `DefaultCollection`).
fn well_known<'a>(host: &'a str, parts: &mut Vec<&'a str>) -> String {
    if let Some(organisation) = host.strip_suffix(".visualstudio.com")
        && parts.contains(&"_git")
    {
        parts.retain(|part| *part != "defaultcollection");
        parts.insert(0, organisation);
        return well_known("dev.azure.com", parts);
    }
    match host {
        "ssh.github.com" | "www.github.com" => "github.com".into(),
        "altssh.gitlab.com" => "gitlab.com".into(),
        "altssh.bitbucket.org" => "bitbucket.org".into(),
        "ssh.dev.azure.com" | "vs-ssh.visualstudio.com" | "dev.azure.com" => {
            if parts.len() == 4 && parts[0] == "v3" {
                parts.remove(0);
            } else if parts.len() == 4 && parts[2] == "_git" {
                parts.remove(2);
            } else if parts.len() == 3 && parts[1] == "_git" {
                parts[1] = parts[2];
            }
            "dev.azure.com".into()
        }
        other => other.into(),
    }
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()) {
            Some(byte) => {
                decoded.extend(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_write_a_remote_is_one_key() {
        for url in [
            "https://github.com/acme/api",
            "https://github.com/acme/api.git",
            "https://github.com/acme/api.git/",
            "https://github.com/acme//api/",
            "HTTPS://GitHub.com/Acme/API.GIT",
            "http://github.com:80/acme/api",
            "https://user:p%40ss@github.com/acme/api.git",
            "https://ghp_token@github.com:443/acme/api",
            "ssh://git@github.com/acme/api.git",
            "ssh://git@github.com:22/acme/api.git",
            "ssh://git@ssh.github.com:443/acme/api.git",
            "git+ssh://git@github.com/acme/api.git",
            "git://github.com/acme/api.git",
            "git@github.com:acme/api.git",
            "git@github.com:/acme/api.git",
            "github.com:acme/api",
            "[git@github.com:22]:acme/api.git",
            " git@github.com:acme/api.git\n",
            "https://github.com./acme/%61pi",
        ] {
            assert_eq!(
                normalise(url).as_deref(),
                Some("github.com/acme/api"),
                "{url}"
            );
        }
    }

    #[test]
    fn an_address_of_one_machine_has_the_repositorys_name() {
        for url in [
            "/srv/git/Shop.git",
            "/srv/git/shop/",
            "file:///media/usb/shop.git",
            "../shop",
            "C:\\code\\shop",
            "C:shop",
            "http://localhost:3000/acme/shop.git",
            "keybase://private/me/shop",
            "gcrypt::git@h.example:acme/shop.git",
            "/home/mia/shop/.git",
        ] {
            assert_eq!(repository_in(url).as_deref(), Some("shop"), "{url}");
        }
        for url in ["", " ", "/", "..", "a/.."] {
            assert_eq!(repository_in(url), None, "{url}");
        }
    }

    #[test]
    fn owners_groups_and_dashes_stay_apart() {
        let rows = [
            ("git@host.example:a/b-c.git", "host.example/a/b-c"),
            ("git@host.example:a-b/c.git", "host.example/a-b/c"),
            (
                "https://gitlab.com/group/sub/deep/repo.git",
                "gitlab.com/group/sub/deep/repo",
            ),
            (
                "https://github.com/acme/api.wiki.git",
                "github.com/acme/api.wiki",
            ),
            ("https://github.com/acme/dotgit", "github.com/acme/dotgit"),
            (
                "ssh://git@git.example:7999/proj/repo.git",
                "git.example/proj/repo",
            ),
            ("ssh://git@[2001:db8::1]:22/repo", "2001:db8::1/repo"),
            ("git@[2001:db8::1]:repo", "2001:db8::1/repo"),
            (
                "ssh://git@[2001:DB8:0:0:0:0:0:1]/Repo.git",
                "2001:db8::1/repo",
            ),
            ("host.example:~x/repo", "host.example/~x/repo"),
            ("https://host.example/a%23b/c", "host.example/a%23b/c"),
            (
                "git@ssh.dev.azure.com:v3/org/project/repo",
                "dev.azure.com/org/project/repo",
            ),
            (
                "https://org@dev.azure.com/org/project/_git/repo",
                "dev.azure.com/org/project/repo",
            ),
            (
                "https://org.visualstudio.com/DefaultCollection/Project/_git/repo",
                "dev.azure.com/org/project/repo",
            ),
            (
                "https://org.visualstudio.com/_git/repo",
                "dev.azure.com/org/repo/repo",
            ),
            (
                "org@vs-ssh.visualstudio.com:v3/org/project/repo",
                "dev.azure.com/org/project/repo",
            ),
            (
                "codecommit::eu-west-1://work@Tools",
                "git-codecommit.eu-west-1.amazonaws.com/v1/repos/tools",
            ),
            (
                "ssh://APKA123@git-codecommit.eu-west-1.amazonaws.com/v1/repos/Tools",
                "git-codecommit.eu-west-1.amazonaws.com/v1/repos/tools",
            ),
        ];
        for (url, key) in rows {
            assert_eq!(normalise(url).as_deref(), Some(key), "{url}");
        }
    }

    #[test]
    fn what_means_another_thing_elsewhere_is_no_key() {
        for url in [
            "",
            "   ",
            "/srv/git/api.git",
            "../api",
            "codecommit://tools",
            "codecommit::://tools",
            "codecommit::eu-west-1://a/../b",
            "./a:b",
            "~/api",
            "file:///srv/git/api.git",
            "C:/code/api",
            r"C:\code\api",
            r"\\server\share\api",
            "api",
            "https://github.com",
            "https://github.com/",
            "https:///acme/api",
            "git@localhost:acme/api",
            "http://127.0.0.1:3000/acme/api",
            "ssh://[::1]/api",
            "ssh://[0:0:0:0:0:0:0:1]/api",
            "ssh://[::ffff:127.0.0.1]/api",
            "ssh://[fe80::1%25eth0]/api",
            "http://0.0.0.0:3000/acme/api",
            "ext::sh -c x",
            "s3://bucket/api",
            "https://github.com/../api",
            "https://github.com/.git",
            "git@:a/b",
        ] {
            assert_eq!(normalise(url), None, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_no_key_has_a_fragment(url in "\\PC{0,40}") {
            if let Some(key) = normalise(&url) {
                prop_assert!(!key.contains('#'));
            }
        }

        #[test]
        fn https_and_ssh_agree(owner in "[a-zA-Z0-9-]{1,9}", repo in "[a-zA-Z0-9_-]{1,9}") {
            let key = normalise(&format!("https://git.example/{owner}/{repo}"));
            prop_assert!(key.is_some());
            prop_assert_eq!(normalise(&format!("git@git.example:{owner}/{repo}.git")), key);
        }
    }
}
