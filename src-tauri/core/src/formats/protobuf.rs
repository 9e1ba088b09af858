//! Fields of a protobuf message without its definition. Bounded by the bytes given; knows no tool.

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'b> {
    pub number: u64,
    /// The field with its key, as encoded.
    pub whole: &'b [u8],
    pub value: Value<'b>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'b> {
    Number(u64),
    /// A text, bytes or a message.
    Bytes(&'b [u8]),
    /// A number of four or eight bytes, which is not decoded.
    Fixed,
}

impl<'b> Field<'b> {
    /// The text, bytes or message in the field.
    pub fn bytes(&self) -> Option<&'b [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// The fields of a message in their order; `None` if the bytes are no message.
pub fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        found.push(next(&mut message)?);
    }
    Some(found)
}

/// The fields up to the first that is not well formed.
pub fn leading(mut message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::from_fn(move || next(&mut message))
}

fn next<'b>(rest: &mut &'b [u8]) -> Option<Field<'b>> {
    let start = *rest;
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        2 => {
            let length = varint(rest)?;
            Value::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        _ => return None,
    };
    Some(Field {
        number: key >> 3,
        whole: &start[..start.len() - rest.len()],
        value,
    })
}

fn take<'b>(rest: &mut &'b [u8], length: u64) -> Option<&'b [u8]> {
    let (taken, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_field_is_read_and_bytes_that_lie_are_no_message() {
        let message = b"\x08\x96\x01\x12\x02hi\x1d1234\x21\x31\x32\x33\x34\x35\x36\x37\x38";
        let found = fields(message).expect("a message");
        let numbers: Vec<u64> = found.iter().map(|field| field.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(found[0].value, Value::Number(150));
        assert_eq!(
            (found[1].bytes(), found[1].whole),
            (Some(&b"hi"[..]), &b"\x12\x02hi"[..])
        );
        assert_eq!([found[2].value, found[3].value], [Value::Fixed; 2]);
        let wholes: Vec<u8> = found
            .iter()
            .flat_map(|field| field.whole.to_vec())
            .collect();
        assert_eq!(wholes, message);
        for cut in 1..message.len() {
            let part = &message[..cut];
            let n_read = leading(part).count();
            assert_eq!(fields(part).map_or(n_read, |fields| fields.len()), n_read);
        }
        for hostile in [
            &b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"[..],
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(fields(hostile), None, "{hostile:?}");
        }
        assert_eq!(fields(b""), Some(Vec::new()));
    }
}
