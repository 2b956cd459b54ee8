//! Where a stream of bytes is cut into the pieces in which it arrives.

/// The most pieces that an input is cut into.
const PIECES_MAX: usize = 16;

/// The input without what tells where it is cut, in the pieces in which it arrives. None is empty. The last byte of the
/// input tells how long the pieces are: 0 lets it arrive as a whole.
pub(crate) fn pieces(input: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let Some((&length, stream)) = input.split_last() else { return (&[], Vec::new()) };
    let length = match length {
        0 => stream.len(),
        length => usize::from(length).max(stream.len().div_ceil(PIECES_MAX)),
    };
    (stream, stream.chunks(length.max(1)).collect())
}
