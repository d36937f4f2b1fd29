/**
 * The fixed layout that both kernel bodies share: a RowTable's header, its index entries, column descriptors.
 *
 * Header: u32 words below. Index: (mask + 1) entries of 8 bytes: hash u32, row id u32 (0 = empty), linear probing, deletion
 * by shifting back. Column descriptor: four u32 words: storage code, values, validity (0: none), offset in the row.
 */

export const T_INDEX = 0;
export const T_MASK = 1;
export const T_INDEXED = 2;
/** First free row (row id; its word 0 is the next), and how many there are. */
export const T_FREE = 3;
export const T_FREE_COUNT = 4;
/** Never used rows of the newest chunk: byte addresses. */
export const T_NEXT = 5;
export const T_END = 6;
export const T_ROW_BYTES = 7;
export const T_ROW_COUNT = 8;
/** Newest chunk (byte address); a chunk: next u32, bytes u32, 8 unused, rows. */
export const T_CHUNKS = 9;
/** f64 at words 12-13: bytes of long strings; 14-15: bytes of chunks. */
export const T_LONG_BYTES = 6;
export const T_CHUNK_BYTES = 7;
export const TABLE_HEADER_BYTES = 64;
export const CHUNK_HEADER_BYTES = 16;
export const DESCRIPTOR_WORDS = 4;
