//! What CoreExecute tells the Controller of each shard: bincode, in the shape of SP1's own messages.

use std::collections::HashSet;

use super::range::Range;

/// A shard's proof to come: who makes it, of what, and where it will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardProof {
    /// The task that makes it.
    pub task: String,
    /// What it is about.
    pub range: Range,
    /// The artifact that it will be.
    pub proof: String,
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message of a shard does not decode")]
pub struct MessageError;

impl MessageError {
    /// Stable name of the error.
    pub fn reason(self) -> &'static str {
        "InvalidEncoding"
    }
}

impl ShardProof {
    /// The bytes that travel: about 180.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        push_text(&mut out, &self.task);
        for number in self.range.to_numbers() {
            out.extend(number.to_le_bytes());
        }
        push_text(&mut out, &self.proof);
        out
    }

    /// Undoes [`ShardProof::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut rest = bytes;
        let task = take_text(&mut rest)?;
        let mut numbers = [0; 12];
        for number in &mut numbers {
            *number = take_number(&mut rest)?;
        }
        let proof = take_text(&mut rest)?;
        if !rest.is_empty() {
            return Err(MessageError);
        }
        Ok(Self {
            task,
            range: Range::from_numbers(numbers),
            proof,
        })
    }
}

/// Tells messages that came before: a channel is replayed after a break, and an execution that was delivered twice emits its shards twice.
#[derive(Debug, Default)]
pub struct Seen {
    tasks: HashSet<String>,
    ranges: HashSet<Range>,
}

impl Seen {
    /// Whether this is the first message of its task and of its range. Precompile shards all have the same range.
    pub fn is_new(&mut self, shard: &ShardProof) -> bool {
        self.tasks.insert(shard.task.clone())
            && (shard.range == Range::PRECOMPILE || self.ranges.insert(shard.range))
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn take_number(rest: &mut &[u8]) -> Result<u64, MessageError> {
    let (head, tail) = rest.split_first_chunk::<8>().ok_or(MessageError)?;
    *rest = tail;
    Ok(u64::from_le_bytes(*head))
}

fn take_text(rest: &mut &[u8]) -> Result<String, MessageError> {
    let len = usize::try_from(take_number(rest)?).map_err(|_| MessageError)?;
    let (head, tail) = rest.split_at_checked(len).ok_or(MessageError)?;
    *rest = tail;
    String::from_utf8(head.to_vec()).map_err(|_| MessageError)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn messages_are_as_large_as_sp1s_and_come_back() {
        let message = ShardProof {
            task: "task_01h455vb4pex5vsknk084sn02q".to_owned(),
            range: Range::place(7),
            proof: "artifact_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        let bytes = message.encode();
        assert!((170..=250).contains(&bytes.len()), "{}", bytes.len());
        assert_eq!(ShardProof::decode(&bytes).unwrap(), message);
        for end in 0..bytes.len() {
            assert!(ShardProof::decode(&bytes[..end]).is_err());
        }
        assert!(ShardProof::decode(&[0xff; 200]).is_err());
    }
}
