//! Two branches of a log of entries as one: every entry once, those of the second branch after those
//! of the first.

use super::shelf::uuid_of;
use crate::adapter::Sides;
use std::collections::{HashMap, HashSet};

/// The lines to add after the common ones and those of the first branch: the second branch's, except
/// entries whose `uuid` is there, and, of entries without one, as many as are there. The result
/// depends on the lines alone, so every device adds the same.
pub fn stitch(sides: &Sides<'_>) -> Result<Vec<u8>, String> {
    let mut known = HashSet::new();
    let mut plain: HashMap<&[u8], u64> = HashMap::new();
    for line in lines(sides.common) {
        known.extend(uuid_of(line));
    }
    for line in lines(sides.first) {
        match uuid_of(line) {
            Some(uuid) => drop(known.insert(uuid)),
            None => *plain.entry(line).or_default() += 1,
        }
    }
    let mut added = Vec::new();
    for line in lines(sides.second) {
        let is_new = match uuid_of(line) {
            Some(uuid) => known.insert(uuid),
            None => match plain.get_mut(line) {
                Some(left) if 0 < *left => {
                    *left -= 1;
                    false
                }
                _ => true,
            },
        };
        if is_new {
            added.extend_from_slice(line);
            added.push(b'\n');
        }
    }
    Ok(added)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stitched(common: &str, first: &str, second: &str) -> String {
        let sides = Sides {
            common: common.as_bytes(),
            first: first.as_bytes(),
            second: second.as_bytes(),
        };
        String::from_utf8(stitch(&sides).expect("stitched")).expect("text")
    }

    #[test]
    fn every_entry_is_taken_once() {
        let (a, b, c) = (
            "{\"uuid\":\"a\"}\n",
            "{\"uuid\":\"b\"}\n",
            "{\"uuid\":\"c\"}\n",
        );
        assert_eq!(stitched(a, b, c), c);
        assert_eq!(stitched(a, b, &format!("{a}{b}{c}")), c);
        assert_eq!(stitched(a, &format!("{b}{c}"), c), "");
        assert_eq!(
            stitched(a, b, "{\"uuid\":\"b\",\"x\":1}\n"),
            "",
            "the id decides"
        );
        // Entries without an id: two equal ones on one side are two.
        let t = "{\"type\":\"title\"}\n";
        assert_eq!(stitched(a, b, &format!("{t}{t}")), format!("{t}{t}"));
        assert_eq!(stitched(a, &format!("{b}{t}"), &format!("{t}{t}")), t);
        assert_eq!(
            stitched(t, b, t),
            t,
            "what came before the branches is not one of theirs"
        );
    }

    #[test]
    fn a_branch_that_was_added_before_adds_only_what_it_has_got_since() {
        let (trunk, branch) = ("{\"uuid\":\"a\"}\n", "{\"uuid\":\"b\"}\n{\"n\":1}\n");
        let once = format!("{trunk}{}", stitched("", trunk, branch));
        assert_eq!(stitched("", &once, branch), "");
        assert_eq!(
            stitched("", &once, &format!("{branch}{{\"n\":2}}\n")),
            "{\"n\":2}\n"
        );
    }
}
