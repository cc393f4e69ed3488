//! The headers `traceparent` and `tracestate` of a request, read by the rules of W3C Trace Context: what is not valid is as if
//! it were not there.

use std::sync::Arc;

use super::{RANDOM, SAMPLED, SpanId, TraceContext, TraceId, state};

/// Bytes of a `traceparent` of version 00; later versions may only add to its end.
const LENGTH: usize = 55;

impl TraceContext {
    /// The place that a request says it comes from: the values of its headers `traceparent` and `tracestate`, each as often
    /// as it was sent. `None` if there is no `traceparent`, more than one, or one that is not valid. A `tracestate` that is
    /// not valid is left out.
    #[must_use]
    pub fn from_headers<'a>(
        mut traceparent: impl Iterator<Item = &'a [u8]>,
        tracestate: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let (first, None) = (traceparent.next()?, traceparent.next()) else { return None };
        let context = parse(first)?;
        Some(Self { state: state::read(tracestate).map(Arc::from), ..context })
    }
}

/// Reads the value of a `traceparent`.
pub(super) fn parse(value: &[u8]) -> Option<TraceContext> {
    let value = value.trim_ascii();
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let [version]: [u8; 1] = bytes(&known[..2])?;
    let may_go_on = version != 0 && rest.starts_with(b"-");
    let has_dashes = [2, 35, 52].iter().all(|place| known[*place] == b'-');
    if version == 0xff || !has_dashes || !(rest.is_empty() || may_go_on) {
        return None;
    }
    let trace: [u8; 16] = bytes(&known[3..35])?;
    let span: [u8; 8] = bytes(&known[36..52])?;
    let [flags]: [u8; 1] = bytes(&known[53..])?;
    if trace == [0; 16] || span == [0; 8] {
        return None;
    }
    let flags = flags & (SAMPLED | RANDOM);
    Some(TraceContext { trace_id: TraceId(trace), span_id: SpanId(span), flags, state: None })
}

/// So many bytes from twice as many hexadecimal digits, which must be in lower case.
pub(super) fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(parents: &[&str], states: &[&str]) -> Option<String> {
        let values = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let (parents, states) = (values(parents), values(states));
        let [parents, states] = [&parents, &states].map(|values| values.iter().map(Vec::as_slice));
        TraceContext::from_headers(parents, states).map(|context| context.to_string())
    }

    #[test]
    fn what_is_valid_is_read() {
        for (value, flags) in [
            (format!("00-{TRACE}-{SPAN}-01"), "01"),
            (format!(" 00-{TRACE}-{SPAN}-00\t"), "00"),
            (format!("00-{TRACE}-{SPAN}-03"), "03"),
            // Flags that are not known are not handed on, and what a later version adds is not understood.
            (format!("00-{TRACE}-{SPAN}-ff"), "03"),
            (format!("cc-{TRACE}-{SPAN}-01"), "01"),
            (format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"), "01"),
        ] {
            assert_eq!(read(&[&value], &[]), Some(format!("00-{TRACE}-{SPAN}-{flags}")), "{value}");
        }
        let value = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&[&value], &["a=1", "b=2"]), Some(format!("{value} a=1,b=2")));
        assert_eq!(read(&[&value], &["a=1", "not valid"]), Some(value), "the place is known all the same");
    }

    #[test]
    fn what_is_not_valid_is_as_if_it_were_not_there() {
        let zeros = "0".repeat(32);
        for value in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("000-{TRACE}-{SPAN}-01"),
            format!(".0-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{}-{SPAN}-01", TRACE.replace('f', "g")),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-0x"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(read(&[&value], &["a=1"]), None, "{value}");
        }
        let value = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&[], &["a=1"]), None);
        assert_eq!(read(&[&value, &value], &[]), None, "nobody knows which of two is meant");
    }
}
