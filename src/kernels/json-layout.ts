/**
 * What decodeJson is given, in u32 words. Program: columns, root node, spans, where a text is wrong; then for each column its kind, values,
 * validity, 0. Span of a column: start and end of its JSON text (start 0: it is missing), 1 where it is a string with escapes,
 * and what became of it. Node: count and address of its columns, count and address of its members, the member that
 * probably comes next, 1 where names may also match without case, count and address of its elements, count and address of
 * the columns below it. Member: address and length of its name, node. Element: number, node.
 * Behind the spans lies the pattern, a text that others may be like: count of its scalars (0: there is none), 1 where the text
 * before was not like it, its start and end; then for each scalar its start and end, node (0: nobody wants it), 0.
 */

export const PROGRAM_WORDS = 4;
export const PROGRAM_WRONG_AT = 3;
export const COLUMN_WORDS = 4;
export const SPAN_WORDS = 4;
export const PATTERN_WORDS = 4 + 64 * 4;
export const NODE_WORDS = 10;
export const MEMBER_WORDS = 3;
export const ELEMENT_WORDS = 2;

/** Bytes behind a text that may be read (and are not looked at). */
export const TEXT_PADDING = 16;

/** Kinds of columns; the values of others are left to the caller. */
export const KIND_LEFT = 0;
export const KIND_TEXT = 1;
export const KIND_INT8 = 2;
export const KIND_INT4 = 3;
export const KIND_INT2 = 4;
export const KIND_FLOAT8 = 5;
export const KIND_BOOL = 6;
export const KIND_TIMESTAMP = 7;
export const KIND_TIMESTAMPTZ = 8;

/** What became of a column: stored, stored as NULL, or left to the caller. */
export const COLUMN_STORED = 0;
export const COLUMN_NULL = 1;

/** Answers: the text is left to the caller as a whole; every column is stored and none is NULL; see each column's span. */
export const TEXT_LEFT = 0;
export const TEXT_STORED = 1;

/** Answers from here on: what was wanted where the text is wrong; ESCAPE and HEX: of a backslash; ENCODING: see its bytes. */
export const TEXT_WRONG = 16;
export const WRONG_MEMBER_END = 16;
export const WRONG_ELEMENT_END = 17;
export const WRONG_COLON = 18;
export const WRONG_NAME = 19;
export const WRONG_STRING_END = 20;
export const WRONG_CONTROL = 21;
export const WRONG_DIGIT = 22;
export const WRONG_VALUE = 23;
export const WRONG_TEXT_END = 24;
export const WRONG_ESCAPE = 25;
export const WRONG_HEX = 26;
export const WRONG_NO_OBJECT = 27;
export const WRONG_ENCODING = 28;
